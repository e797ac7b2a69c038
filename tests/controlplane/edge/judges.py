"""A judge that answers by the key's text: deterministic, and with an answer at once or after a moment, as the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.edge.asking import Ask, CrowdedError, Shape, Template, Trouble, Verdict
from tenants.keys.codes import Code
from tenants.limits.decision import Decision
from tenants.limits.headers import headers_of
from tenants.limits.judgement import Standing

NOW_US = 1_800_000_000_000_000
ACME, GLOBEX, INITECH = "tnt_acme", "tnt_globex", "tnt_initech"


def key(name: str) -> str:
    """The text of a key by what it shall meet; of the shape of ours, so that an echo would be found."""
    return f"cpk_live_{name:x<16}_{'0123456789' * 4}"[:66]


def decision(code: Code = Code.VALID, *, remaining: int = 20, retry_after_us: int | None = 0) -> Decision:
    """How a rate and a daily quota stand."""
    standings = (
        Standing("rate", 30, 3_000_000, remaining, 400_000),
        Standing("quota-day", 1_000, 86_400_000_000, 995, 57_600_000_000),
    )
    refused_by = {Code.RATE_LIMITED: "rate", Code.USAGE_EXCEEDED: "quota-day"}.get(code, "")
    return Decision(code, 1, refused_by, retry_after_us, standings, NOW_US)


@dataclass(frozen=True, slots=True)
class Limited:
    """See :class:`controlplane.edge.asking.Limiting`."""

    decision: Decision
    lines: bytes

    def filled(self, template_of: Template) -> bytes:
        template, numbers = template_of(self.decision)
        return template % numbers

    def shape(self, template_of: Template) -> Shape:
        return template_of(self.decision)

    @classmethod
    def by(cls, decided: Decision) -> Limited:
        return cls(decided, "".join(f"{name}: {value}\r\n" for name, value in headers_of(decided)).encode())


def limiting(code: Code = Code.VALID) -> Limited:
    return Limited.by(
        decision(code, remaining=20 if code is Code.VALID else 0, retry_after_us=0 if code is Code.VALID else 400_000)
    )


SCOPES = ("events:read", "events:write")
BY_NAME: Mapping[str, Verdict] = {
    "acme": Verdict(Code.VALID, ACME, "key_acme", 3, SCOPES, limiting()),
    "globex": Verdict(Code.VALID, GLOBEX, "key_globex", 1, ("ratelimit:limit",), limiting()),
    "unlimited": Verdict(Code.VALID, ACME, "key_unlimited", 1, ()),
    "flood": Verdict(Code.RATE_LIMITED, GLOBEX, "key_flood", 1, SCOPES, limiting(Code.RATE_LIMITED)),
    "spent": Verdict(Code.USAGE_EXCEEDED, GLOBEX, "key_spent", 1, SCOPES, limiting(Code.USAGE_EXCEEDED)),
    "initech": Verdict(Code.DISABLED, INITECH, "key_initech", 1, SCOPES),
    "expired": Verdict(Code.EXPIRED, ACME, "key_expired", 1, SCOPES),
    "elsewhere": Verdict(Code.FORBIDDEN, ACME, "key_elsewhere", 1, SCOPES),
    "unheard": Verdict(Code.VALID, trouble=Trouble.UNHEARD),
}
VERDICTS = {key(name).encode(): verdict for name, verdict in BY_NAME.items()}


@dataclass
class FakeLease:
    """See :class:`controlplane.edge.asking.Leased`."""

    snapshot: Limited


@dataclass
class FakePass:
    """See :class:`controlplane.edge.asking.Passing`. Asks the judge again, so that tests see what was asked."""

    judge: FakeJudge
    question: Ask
    lease: FakeLease

    @property
    def who(self) -> Verdict:
        return self.judge._verdict(self.question)

    def take(self) -> int | None:
        verdict = self.judge.ask(self.question)
        return 0 if verdict is not None and verdict.is_admitted else None

    def verdict(self, left: int) -> Verdict:
        return self.judge._verdict(self.question)


@dataclass
class FakeJudge:
    """``slow`` keys are answered after ``release`` is set; ``broken`` ones raise. ``asked`` are the questions, ``ended`` the leases given back."""

    asked: list[Ask] = field(default_factory=list)
    ended: list[tuple[str, str, str]] = field(default_factory=list)
    counted: list[tuple[str, str, str, int, int, int]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    keeps: bool = True
    hears: bool = True
    counts: bool = True
    is_crowded: bool = False

    def ask(self, ask: Ask) -> Verdict | None:
        if self.keeps:
            self.asked.append(ask)
        if ask.text.startswith(b"cpk_live_slow"):
            return None
        if ask.text.startswith(b"cpk_live_broken"):
            raise RuntimeError("a bug of the judge's")
        return self._verdict(ask)

    async def decide(self, ask: Ask) -> Verdict:
        await self.release.wait()
        name = ask.text.decode().removeprefix("cpk_live_slow")[:5].strip("x")
        return BY_NAME.get(name, BY_NAME["acme"])

    def passing(self, ask: Ask) -> FakePass | None:
        verdict = self._verdict(ask)
        return (
            FakePass(self, ask, FakeLease(verdict.limiting))
            if verdict.is_admitted and isinstance(verdict.limiting, Limited)
            else None
        )

    def _verdict(self, ask: Ask) -> Verdict:
        verdict = VERDICTS.get(ask.text)
        if verdict is None:
            return Verdict(Code.NOT_FOUND)
        if verdict.is_admitted and not set(ask.scopes) <= set(verdict.scopes):
            return Verdict(Code.INSUFFICIENT_PERMISSIONS, verdict.tenant_id, verdict.key_id, verdict.number, verdict.scopes)
        return verdict

    async def give_back(self, tenant_id: str, key_id: str, lease_id: str) -> None:
        self.ended.append((tenant_id, key_id, lease_id))

    async def limit(
        self, tenant_id: str, namespace: str, identifier: str, limit: int, duration_ms: int, cost: int
    ) -> Decision | None:
        self.counted.append((tenant_id, namespace, identifier, limit, duration_ms, cost))
        if self.is_crowded:
            raise CrowdedError(1_200_000)
        if not self.counts:
            return None
        used = sum(count[5] for count in self.counted if count[:3] == (tenant_id, namespace, identifier))
        code = Code.VALID if used <= limit else Code.RATE_LIMITED
        standing = Standing("namespace", limit, duration_ms * 1_000, max(0, limit - used), duration_ms * 500)
        return Decision(code, cost, "" if code is Code.VALID else "namespace", 0, (standing,), NOW_US)

    def heard_within_bound(self) -> bool:
        return self.hears

    @property
    def heard_seconds_ago(self) -> float:
        return 0.25 if self.hears else 7.5

    def sizes(self) -> Mapping[str, int]:
        return {"keys": len(VERDICTS), "tenants": 3}


class LeanJudge(FakeJudge):
    """Costs one look-up, for programs that are measured."""

    def ask(self, ask: Ask) -> Verdict | None:
        return VERDICTS.get(ask.text) or super().ask(ask)
