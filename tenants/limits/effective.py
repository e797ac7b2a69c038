"""Which limits hold: the tier's, with the tenant's overrides in their places, and a key's own beside them. Pure.

An override replaces one number of the tier, up or down. A key's limits stand beside the tenant's and never in their place: both are asked,
so a key can only be narrower, and all keys together share what the tenant has.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tenants.facts import FailPolicy
from tenants.limits.calendar import Period
from tenants.limits.concurrency import Concurrency
from tenants.limits.decision import Limit
from tenants.limits.quotas import Quota
from tenants.limits.rates import Rate

LEASE_SECONDS = 60
"""How long a request in flight counts that was never reported as done."""
SMALLINT, INTEGER, EXACT = 2**15 - 1, 2**31 - 1, 2**53 - 1
"""The largest values that a column takes; the last is the largest that every JSON reader keeps exact."""


class Limited(enum.StrEnum):
    """What can be limited, and overridden for one tenant. Names are those of the tier's fields."""

    RATE = "rate_per_second"
    BURST = "burst"
    QUOTA_PER_DAY = "quota_per_day"
    QUOTA_PER_MONTH = "quota_per_month"
    CONCURRENCY = "concurrency"
    WEIGHT = "weight"


BOUNDS: Mapping[Limited, tuple[int, int]] = {
    Limited.RATE: (1, INTEGER),
    Limited.BURST: (1, INTEGER),
    Limited.QUOTA_PER_DAY: (0, EXACT),
    Limited.QUOTA_PER_MONTH: (0, EXACT),
    Limited.CONCURRENCY: (0, INTEGER),
    Limited.WEIGHT: (1, SMALLINT),
}
"""The least and the greatest value of each."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for a tenant. None does not limit; ``overridden`` names what is not the tier's."""

    rate_per_second: int
    burst: int
    quota_per_day: int
    quota_per_month: int | None = None
    concurrency: int | None = None
    weight: int = 1
    fail_policy: FailPolicy = FailPolicy.CLOSED
    overridden: frozenset[Limited] = frozenset()


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What holds for one key besides; None does not limit. A burst goes with a rate."""

    rate_per_second: int | None = None
    burst: int | None = None
    quota_per_day: int | None = None
    quota_per_month: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """One number for one tenant until ``expires_at`` (for good when empty). At that moment it no longer holds."""

    limited: Limited
    value: int
    expires_at: datetime | None = None
    id: str = field(default="", compare=False)

    def holds(self, now: datetime) -> bool:
        """Whether its time is not over."""
        return self.expires_at is None or now < self.expires_at


def merge(tier: Limits, overrides: Iterable[Override], now: datetime) -> Limits:
    """Give what holds now: an override before the tier, expired ones as if they were not there. At most one override a limit is expected."""
    holding = {override.limited: override.value for override in overrides if override.holds(now)}
    values = {limited.value: value for limited, value in holding.items()}
    return replace(tier, **values, overridden=frozenset(holding))  # type: ignore[arg-type]  # the names are those of the fields


def narrowed(limits: Limits, key: KeyLimits) -> Limits:
    """Give what one key may have at most, for people: the lesser of its own and its tenant's."""
    names = [limited.value for limited in Limited if limited is not Limited.WEIGHT]
    both = {name: (getattr(limits, name), getattr(key, name)) for name in names}
    least = {name: min((value for value in pair if value is not None), default=None) for name, pair in both.items()}
    return replace(limits, **least)  # type: ignore[arg-type]  # the names are those of the fields


def rules_of(limits: Limits, key: KeyLimits | None = None) -> list[Limit]:
    """Give the limits that the decision asks, in the order in which they are told: the tenant's, then the key's."""
    rules = _rules("", limits)
    return rules + _rules("key-", key) if key is not None else rules


def _rules(prefix: str, of: Limits | KeyLimits) -> list[Limit]:
    rules: list[Limit] = []
    if of.rate_per_second is not None:
        rules.append(Rate.per_second(f"{prefix}rate", of.rate_per_second, of.burst or of.rate_per_second))
    if of.quota_per_day is not None:
        rules.append(Quota(f"{prefix}quota-day", Period.DAY, of.quota_per_day))
    if of.quota_per_month is not None:
        rules.append(Quota(f"{prefix}quota-month", Period.MONTH, of.quota_per_month))
    if of.concurrency is not None:
        rules.append(Concurrency(f"{prefix}concurrency", of.concurrency, LEASE_SECONDS * 1_000_000))
    return rules
