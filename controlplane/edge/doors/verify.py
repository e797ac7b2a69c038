"""``POST /v1/verify`` and ``POST /v1/release``: whether a key is good for one request, in JSON; and the end of a request in flight.

The key itself is the credential: whoever has its text learns about that key and nothing else. Codes are Unkey's, and key outcomes are 200;
``docs/edge.md`` has the fields.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

from controlplane.edge import problems as kinds
from controlplane.edge.asking import Ask, Verdict
from controlplane.edge.doors import fields
from controlplane.edge.doors.judged import UNKNOWABLE, VALID, JudgedDoor
from controlplane.edge.problems import ProblemError
from controlplane.edge.repeats import Repeat
from controlplane.edge.requests import Request
from tenants.limits.decision import Decision
from tenants.limits.headers import SECOND_US, retry_after_seconds

MOST_KEPT = 50_000
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
_UNLIMITED = b'"limits":{},"refused_by":null,"retry_after":null}'
NO_REQUEST = Request()
"""What an admitted answer is made without."""
_ASKED = frozenset({"key", "cost", "class", "scopes", "address", "lease"})
_PLAIN = frozenset({"key"})


class VerifyDoor(JudgedDoor):
    """``{"key", "cost", "class", "scopes", "address", "lease"}`` in; a verdict out."""

    name = "verify"
    methods = (b"POST",)

    def __init__(self, *premises: Any) -> None:
        super().__init__(*premises)
        self._who: dict[str, tuple[str, int, tuple[str, ...], str]] = {}

    def read(self, request: Request) -> Ask:
        """Check the body. The request costs ``cost`` times what its class does."""
        found = fields.read_object(request)
        text = fields.read_key(found)
        if len(found) == 1:
            return Ask(text)
        fields.check_names(found, _ASKED)
        route_class = fields.read_text(
            found, "class", fields.is_class, "A class of routes: lower-case letters, digits and hyphens."
        )
        return Ask(
            text,
            fields.read_cost(found) * self.premises.costs.of(route_class),
            fields.read_scopes(found),
            fields.read_text(found, "address", fields.is_address, "An IP address."),
            fields.read_text(found, "lease", fields.is_lease, "1 to 64 letters, digits and . _ : -"),
        )

    def say(self, request: Request, verdict: Verdict) -> bytes:
        """200 with the verdict, 503 where there is none."""
        if verdict.code is VALID and not verdict.trouble:
            self.counts[VALID] += 1
        else:
            self.count(request, verdict)
            if verdict.trouble:
                return self.problem(request, verdict)
        limiting = verdict.limiting
        code = verdict.code
        told = f'{{"valid":{"true" if code is VALID else "false"},"code":"{code}",{self._told(verdict)},'.encode()
        body = told + (_UNLIMITED if limiting is None else limiting.filled(template_of))
        return b"%b%b%bContent-Length: %d\r\n\r\n%b" % (
            *(_HEAD, self.ticks.date, b"" if limiting is None else limiting.lines),
            *(len(body), body),
        )

    def again(self, repeat: Repeat, left: int) -> bytes:
        """See :class:`~controlplane.edge.repeats.RepeatingDoor`."""
        return self.say(NO_REQUEST, repeat.passing.verdict(left))

    def _told(self, verdict: Verdict) -> str:
        """Who it is, as JSON, kept for each key: the same until its scopes or its version change."""
        kept = self._who.get(verdict.key_id)
        if kept is not None and kept[0] == verdict.tenant_id and kept[1] == verdict.number and kept[2] == verdict.scopes:
            return kept[3]
        told = {
            "tenant": verdict.tenant_id or None,
            "key": verdict.key_id or None,
            "version": verdict.number or None,
            "scopes": verdict.scopes,
        }
        text = json.dumps(told, separators=(",", ":"))[1:-1]
        if len(self._who) >= MOST_KEPT:
            self._who.clear()
        self._who[verdict.key_id] = (verdict.tenant_id, verdict.number, verdict.scopes, text)
        return text


def template_of(decision: Decision) -> tuple[bytes, tuple[int, ...]]:
    """Give how the limits stand, as the end of a JSON object, with ``%d`` for what remains.

    Names of limits are lower-case letters, digits and hyphens (:mod:`tenants.limits.judgement`): nothing in them needs escaping.
    """
    limits = ",".join(
        f'"{standing.name}":{{"limit":{standing.quota},"remaining":%d,"reset":{-(-standing.reset_after_us // SECOND_US)}}}'
        for standing in decision.standings
    )
    refused_by = f'"{decision.refused_by}"' if decision.refused_by else "null"
    retry_after = retry_after_seconds(decision)
    told = f'"limits":{{{limits}}},"refused_by":{refused_by},"retry_after":{"null" if retry_after is None else retry_after}}}'
    return told.encode(), tuple(standing.remaining for standing in decision.standings)


class ReleaseDoor(JudgedDoor):
    """``{"key", "lease"}`` in; 204 out, also for a lease that has ended. Only the key's own leases end: its text says whose they are."""

    name = "release"
    methods = (b"POST",)

    def answer(self, request: Request) -> bytes | Coroutine[Any, Any, bytes]:
        """Look who it is, spending nothing, then end the request in flight."""
        if request.method not in self.methods:
            return super().answer(request)
        found = fields.read_object(request)
        text = fields.read_key(found)
        fields.check_names(found, _PLAIN | {"lease"})
        lease_id = fields.read_text(found, "lease", fields.is_lease, "1 to 64 letters, digits and . _ : -")
        if not lease_id:
            raise fields.wrong("/lease", "Needed: the id under which the request was verified.")
        return self._release(request, Ask(text, cost=0), lease_id)

    async def _release(self, request: Request, ask: Ask, lease_id: str) -> bytes:
        verdict = self.judge.ask(ask) or await self.judge.decide(ask)
        # Who the key's text is right for may end what it began, also after the key was switched off.
        if not verdict.key_id:
            self.count(request, verdict)
            raise ProblemError(kinds.BUSY if verdict.trouble else kinds.UNAUTHENTICATED, UNKNOWABLE if verdict.trouble else "")
        await self.judge.give_back(verdict.tenant_id, verdict.key_id, lease_id)
        self.counts[VALID] += 1
        return b"HTTP/1.1 204 No Content\r\n%bCache-Control: no-store\r\n\r\n" % self.ticks.date
