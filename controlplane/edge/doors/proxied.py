"""What the doors for proxies share: the key and the terms from headers, the answer in a status and in headers.

The caller's address is what the proxy says in ``X-Real-Ip``: whoever can reach the edge can say anything, so only proxies may reach it.
"""

from __future__ import annotations

from controlplane.edge import problems as kinds
from controlplane.edge.asking import Ask, Verdict
from controlplane.edge.doors.fields import is_address
from controlplane.edge.doors.judged import VALID, JudgedDoor, Premises
from controlplane.edge.doors.terms import NOTHING_SAID, Terms, TermsReader
from controlplane.edge.problems import ProblemError
from controlplane.edge.repeats import Repeat
from controlplane.edge.requests import Request
from tenants.limits.headers import template_of


class ProxiedDoor(JudgedDoor):
    """``admitted`` is the admitted answer's head up to the headers that differ."""

    admitted = b""

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self._terms = TermsReader(premises.costs)

    def read(self, request: Request) -> Ask:
        """The key from its header, the terms and the address as the proxy gives them."""
        text = request.key()
        if not text:
            raise ProblemError(kinds.UNAUTHENTICATED)
        headers = request.headers
        terms: Terms | None = NOTHING_SAID
        if b"x-edge-scopes" in headers or b"x-edge-class" in headers or b"x-edge-cost" in headers:
            terms = self._terms.read(request)
        if terms is None:
            raise self.misled(request, "X-Edge-Cost, X-Edge-Class or X-Edge-Scopes means nothing.")
        value = headers.get(b"x-real-ip")
        if not value:
            return Ask(text, terms[0], terms[1])
        address = value.decode("latin-1")
        if not is_address(address):
            raise self.misled(request, "X-Real-Ip is not an address.")
        return Ask(text, terms[0], terms[1], address)

    def again(self, repeat: Repeat, left: int) -> bytes:
        """See :class:`~controlplane.edge.repeats.RepeatingDoor`. All of the answer but what remains is made once a second and draw."""
        if repeat.passing.lease.snapshot is not repeat.made_for or repeat.seconds != self.ticks.seconds:
            self._shape(repeat)
        self.counts[VALID] += 1
        numbers = repeat.numbers
        # A rate, a quota and the tightest of them are what most have, and a loop would cost as much as all the rest here.
        if len(numbers) == 3:
            rate, quota, tightest = numbers
            return repeat.text % (rate + left, quota + left, tightest + left)
        return repeat.text % tuple([number + left for number in numbers])

    def _shape(self, repeat: Repeat) -> None:
        """Make the answer but for what remains, for this draw and second."""
        head = b"".join((self.admitted, self.ticks.date, self.badges.lines(repeat.passing.who)))
        repeat.made_for, repeat.seconds = repeat.passing.lease.snapshot, self.ticks.seconds
        lines, repeat.numbers = repeat.made_for.shape(template_of)
        repeat.text = head.replace(b"%", b"%%") + lines + b"\r\n"

    def misled(self, _request: Request, detail: str) -> ProblemError:
        """Give the error for a proxy that is set up wrongly: it lets nobody in."""
        return ProblemError(kinds.MALFORMED, detail)

    def say(self, request: Request, verdict: Verdict) -> bytes:
        """Admitted: who it is, and how the limits stand. Refused: a problem."""
        if verdict.code is VALID and not verdict.trouble:
            self.counts[VALID] += 1
            limiting = verdict.limiting
            lines = b"" if limiting is None else limiting.lines
            return b"".join((self.admitted, self.ticks.date, self.badges.lines(verdict), lines, b"\r\n"))
        self.count(request, verdict)
        return self.problem(request, verdict)
