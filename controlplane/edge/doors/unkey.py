"""Unkey v2's own calls, for services that speak them: ``POST /v2/keys.verifyKey`` and ``POST /v2/ratelimit.limit``.

Sources: https://www.unkey.com/docs/api-reference/v2/keys/verify-api-key, https://www.unkey.com/docs/api-reference/v2/ratelimit/apply-rate-limiting.
Not like Unkey: a key's limits are the operators', so limits in the request are refused and not ignored; permissions are scopes, and only ``AND``
joins them; ``keys.verifyKey`` needs no root key, as the key in the body is the credential.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Mapping
from typing import Any

from controlplane.edge import problems as kinds
from controlplane.edge.asking import Ask, Counting, CrowdedError, Verdict
from controlplane.edge.doors import fields
from controlplane.edge.doors.envelopes import Envelopes
from controlplane.edge.doors.judged import LIMITED, NOT_FOUND, UNKNOWABLE, VALID, JudgedDoor, Premises
from controlplane.edge.problems import ProblemError
from controlplane.edge.requests import Request
from tenants.keys.codes import Code
from tenants.keys.scopes import is_scope
from tenants.limits.judgement import REQUESTS, Standing

LIMITING_SCOPE = "ratelimit:limit"
"""What a key needs to count for others (Unkey: a root key with ``ratelimit.*.limit``)."""
CROWDED = "The tenant has as many counters as it may have at once. Those that are there go on; this one is not."
MOST_LIMIT, LEAST_DURATION_MS, MOST_DURATION_MS = 1_000_000, 1_000, 2_592_000_000
_NAMESPACE, _IDENTIFIER = re.compile(r"[a-zA-Z][a-zA-Z0-9_./-]{0,254}"), re.compile(r"[a-zA-Z0-9_.:/-]{1,255}")
_TAG = re.compile(r"[a-zA-Z0-9_=/.:-]{1,256}")
_VERIFIED = frozenset({"key", "permissions", "credits", "tags", "ratelimits", "migrationId"})
_COUNTED = frozenset({"namespace", "identifier", "limit", "duration", "cost"})


class UnkeyDoor(JudgedDoor):
    """A door that says problems in Unkey's envelope."""

    methods = (b"POST",)

    def __init__(self, premises: Premises, base: str) -> None:
        super().__init__(premises)
        self._envelopes = Envelopes(base, premises.ticks)

    def answer(self, request: Request) -> bytes | Coroutine[Any, Any, bytes]:
        """As any door, but for the shape of problems."""
        if request.method not in self.methods:
            return super().answer(request)
        try:
            return super().answer(request)
        except ProblemError as problem:
            self.premises.numbers.bad += 1
            return self._envelopes.of(request, problem)


class VerifyKeyDoor(UnkeyDoor):
    """``POST /v2/keys.verifyKey``."""

    name = "unkey-verify"

    def read(self, request: Request) -> Ask:
        """Check the body; ``credits.cost`` is the cost."""
        found = fields.read_object(request)
        fields.check_names(found, _VERIFIED)
        if found.get("ratelimits"):
            raise fields.wrong("/ratelimits", "Limits are set for the key and its tenant, not by the request.")
        tags = found.get("tags") or []
        if tags.__class__ is not list or len(tags) > 20 or not all(tag.__class__ is str and _TAG.fullmatch(tag) for tag in tags):
            raise fields.wrong("/tags", "At most 20 texts of letters, digits and _ = / . : -")
        return Ask(fields.read_key(found), self._cost(found), self._permissions(found))

    def _cost(self, found: Mapping[str, Any]) -> int:
        credits = found.get("credits")
        if credits is None:
            return 1
        if credits.__class__ is not dict or set(credits) != {"cost"}:
            raise fields.wrong("/credits", "An object with a cost.")
        return fields.read_cost(credits)

    def _permissions(self, found: Mapping[str, Any]) -> tuple[str, ...]:
        query = fields.read_text(found, "permissions", lambda text: 0 < len(text) <= 1_000, "A text of 1 to 1000 characters.")
        words = re.split(r"\s+AND\s+", query.strip()) if query else []
        if not all(is_scope(word) for word in words) or len(words) > fields.MOST_SCOPES:
            raise fields.wrong("/permissions", "Scopes written like noun:verb, joined by AND.")
        return tuple(words)

    def say(self, request: Request, verdict: Verdict) -> bytes:
        """200 with the verdict."""
        self.count(request, verdict)
        if verdict.trouble:
            return self._envelopes.error(request, kinds.BUSY, UNKNOWABLE)
        lines = verdict.limiting.lines if verdict.limiting is not None else b""
        return self._envelopes.data(request, self._data(verdict), lines)

    def _data(self, verdict: Verdict) -> dict[str, Any]:
        code = verdict.code
        data: dict[str, Any] = {"valid": code is VALID, "code": code.value}
        if code is NOT_FOUND or not verdict.key_id:
            return data
        data |= {"keyId": verdict.key_id, "enabled": code is not Code.DISABLED}
        if verdict.scopes:
            data["permissions"] = list(verdict.scopes)
        data["identity"] = {"id": verdict.tenant_id, "externalId": verdict.tenant_id}
        if verdict.limiting is not None:
            decision = verdict.limiting.decision
            # Requests in flight have no window, which Unkey's shape wants.
            windows = [standing for standing in decision.standings if standing.unit == REQUESTS]
            data["ratelimits"] = [_ratelimit(standing, decision.refused_by, decision.now_us) for standing in windows]
        return data


class RatelimitDoor(UnkeyDoor):
    """``POST /v2/ratelimit.limit``: counts for whom the caller likes, under the caller's tenant. The caller's own limits hold for the call itself."""

    name = "unkey-ratelimit"

    def __init__(self, premises: Premises, base: str, counting: Counting) -> None:
        super().__init__(premises, base)
        self._counting = counting

    def read(self, request: Request) -> Ask:
        """The root key."""
        text = request.key()
        if not text:
            raise ProblemError(kinds.UNAUTHENTICATED)
        return Ask(text, scopes=(LIMITING_SCOPE,))

    def answer(self, request: Request) -> bytes | Coroutine[Any, Any, bytes]:
        """The root key first, then the body: strangers learn nothing from what is wrong with theirs."""
        if request.method not in self.methods:
            return super().answer(request)
        return self._count(request)

    async def _count(self, request: Request) -> bytes:
        try:
            ask = self.read(request)
            verdict = self.judge.ask(ask) or await self.judge.decide(ask)
            self.count(request, verdict)
            if not verdict.is_admitted:
                return self._refuse(request, verdict)
            return await self._limit(request, verdict)
        except ProblemError as problem:
            self.premises.numbers.bad += 1
            return self._envelopes.of(request, problem)

    def _refuse(self, request: Request, verdict: Verdict) -> bytes:
        if verdict.trouble:
            return self._envelopes.error(request, kinds.BUSY, UNKNOWABLE)
        lines = verdict.limiting.lines if verdict.code in LIMITED and verdict.limiting is not None else b""
        return self._envelopes.error(request, kinds.REFUSALS[verdict.code], lines=lines)

    async def _limit(self, request: Request, verdict: Verdict) -> bytes:
        found = fields.read_object(request)
        fields.check_names(found, _COUNTED)
        namespace, identifier = _name(found, "namespace", _NAMESPACE), _name(found, "identifier", _IDENTIFIER)
        limit = fields.read_whole(found, "limit", 1, MOST_LIMIT)
        duration_ms = fields.read_whole(found, "duration", LEAST_DURATION_MS, MOST_DURATION_MS)
        cost = fields.read_cost(found)
        try:
            decision = await self._counting.limit(verdict.tenant_id, namespace, identifier, limit, duration_ms, cost)
        except CrowdedError as error:
            lines = b"Retry-After: %d\r\n" % -(-error.retry_after_us // 1_000_000)
            return self._envelopes.error(request, kinds.CROWDED, CROWDED, lines)
        if decision is None:
            return self._envelopes.error(request, kinds.BUSY, UNKNOWABLE)
        standing = decision.standings[0]
        reset = _milliseconds(decision.now_us + standing.reset_after_us)
        data = {"success": decision.is_admitted, "limit": limit, "remaining": max(0, standing.remaining), "reset": reset}
        return self._envelopes.data(request, data)


def _name(found: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    text = fields.read_text(found, name, lambda text: shape.fullmatch(text) is not None, f"A text like {shape.pattern}")
    if not text:
        raise fields.wrong(f"/{name}", "Needed.")
    return text


def _ratelimit(standing: Standing, refused_by: str, now_us: int) -> dict[str, Any]:
    return {
        "id": f"rl_limit_{standing.name.replace('-', '_')}",
        "name": standing.name,
        "limit": standing.quota,
        "duration": _milliseconds(standing.window_us),
        "remaining": standing.remaining,
        "reset": _milliseconds(now_us + standing.reset_after_us),
        "exceeded": standing.name == refused_by,
        "autoApply": True,
    }


def _milliseconds(microseconds: int) -> int:
    return -(-microseconds // 1_000)
