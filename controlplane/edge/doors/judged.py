"""What every door that asks the judge has: the one question, now or after Redis was asked, and the paths that say nothing to strangers."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from controlplane.edge import problems as kinds
from controlplane.edge.asking import Ask, Judging, Passing, Verdict
from controlplane.edge.identity import Badges
from controlplane.edge.numbers import TROUBLE, Numbers
from controlplane.edge.problems import Kind, ProblemError, Problems
from controlplane.edge.requests import Request
from controlplane.edge.ticks import Ticks
from tenants.keys.codes import Code
from tenants.limits.costs import Costs

VALID, NOT_FOUND = Code.VALID, Code.NOT_FOUND
LIMITED = frozenset({Code.RATE_LIMITED, Code.USAGE_EXCEEDED})
UNKNOWABLE = "The edge cannot say now whether this may go on."


@dataclass(frozen=True, slots=True)
class Premises:
    """What doors share."""

    judge: Judging
    ticks: Ticks
    problems: Problems
    badges: Badges
    numbers: Numbers
    costs: Costs


class JudgedDoor:
    """Reads a question (:meth:`read`), puts it to the judge, and says the verdict (:meth:`say`)."""

    name = ""
    methods: tuple[bytes, ...] = ()
    """Those that it answers; none for any."""

    def __init__(self, premises: Premises) -> None:
        self.premises = premises
        self.judge, self.ticks, self.badges = premises.judge, premises.ticks, premises.badges
        self.counts = premises.numbers.of_door(self.name)

    def read(self, request: Request) -> Ask:
        """Give what the request asks; raises ProblemError."""
        raise NotImplementedError

    def say(self, request: Request, verdict: Verdict) -> bytes:
        """Give the answer to a verdict."""
        raise NotImplementedError

    def answer(self, request: Request) -> bytes | Coroutine[Any, Any, bytes]:
        """Answer at once where that can be, otherwise give what will."""
        if self.methods and request.method not in self.methods:
            lines = b"Allow: %b\r\n" % b", ".join(self.methods)
            return Hidden(self.premises, kinds.WRONG_METHOD, lines).answer(request)
        ask = self.read(request)
        verdict = self.judge.ask(ask)
        if verdict is None:
            return self._later(request, ask)
        return self._say_to(request, ask, verdict)

    def passing(self, request: Request) -> Passing | None:
        """See :class:`~controlplane.edge.repeats.RepeatingDoor`."""
        return self.judge.passing(self.read(request))

    async def _later(self, request: Request, ask: Ask) -> bytes:
        return self._say_to(request, ask, await self.judge.decide(ask))

    def _say_to(self, request: Request, ask: Ask, verdict: Verdict) -> bytes:
        """Say the verdict. Whoever asks for keys that nobody has is held back as a tenant is that goes on after refusals, by its address."""
        if verdict.code is NOT_FOUND and not verdict.trouble:
            request.refused = ask.address
        return self.say(request, verdict)

    def count(self, request: Request, verdict: Verdict) -> None:
        """Count a verdict, and note the tenant that its limits have refused."""
        if verdict.trouble:
            self.counts[TROUBLE] += 1
            return
        code = verdict.code
        self.counts[code] += 1
        if code in LIMITED:
            request.refused = verdict.tenant_id
            if verdict.limiting is not None:
                self.premises.numbers.refused_by(verdict.limiting.decision.refused_by)

    def problem(self, request: Request, verdict: Verdict) -> bytes:
        """Give a refusal as a problem, with the limits' lines where limits were asked. Why a key is no good is nobody's business."""
        if verdict.trouble:
            return self.premises.problems.answer(kinds.BUSY, request, UNKNOWABLE)
        lines = verdict.limiting.lines if verdict.limiting is not None else b""
        return self.premises.problems.answer(kinds.REFUSALS[verdict.code], request, lines=lines)

    def refusal(self, request: Request, verdict: Verdict) -> bytes | None:
        """Count a verdict and give what those hear to whom a path says nothing: the same 401 for every key that is not good; None for a good one."""
        self.count(request, verdict)
        if verdict.trouble or verdict.code in LIMITED:
            return self.problem(request, verdict)
        return self.premises.problems.answer(kinds.UNAUTHENTICATED, request) if verdict.code is not VALID else None


class Hidden(JudgedDoor):
    """Says that a path is not there, or a method not its own, to callers with a good key; to all others that credentials are needed."""

    name = "elsewhere"

    def __init__(self, premises: Premises, kind: Kind = kinds.NOT_FOUND, lines: bytes = b"") -> None:
        super().__init__(premises)
        self._kind, self._lines = kind, lines

    def read(self, request: Request) -> Ask:
        """A look that spends nothing."""
        text = request.key()
        if not text:
            raise ProblemError(kinds.UNAUTHENTICATED)
        return Ask(text, cost=0)

    def say(self, request: Request, verdict: Verdict) -> bytes:
        """The same 401 for every key that is not good, whatever is wrong with it."""
        refusal = self.refusal(request, verdict)
        return refusal if refusal is not None else self.premises.problems.answer(self._kind, request, lines=self._lines)
