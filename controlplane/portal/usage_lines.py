"""How a tenant's limits stand, and why requests were refused, as its people read it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tenants.limits.effective import Limited, Limits
from tenants.usage.figures import Point, QuotaUse, percent_of

MINUTE_SECONDS = 60
REASONS = {
    "rate": "Faster than your rate",
    "quota-day": "The quota of the day was used up",
    "quota-month": "The quota of the month was used up",
    "concurrency": "Too many requests in flight",
    "key-rate": "Faster than the key's own rate",
    "key-quota-day": "The key's own quota of the day was used up",
    "key-quota-month": "The key's own quota of the month was used up",
    "key-concurrency": "Too many requests in flight with one key",
    "platform": "The platform was busy, and you had used your part of it",
    "platform-concurrency": "The platform was busy, and as many of your requests were in flight as are your part of it",
    "rate-limited": "Faster than a limit allows",
    "usage-exceeded": "A quota was used up",
    "expired": "The key's life was over",
    "disabled": "The key or the account was disabled",
    "forbidden": "From an address outside the key's ranges",
    "insufficient-permissions": "The key may not do that",
    "not-found": "The key was revoked",
}
NAMES = {"quota-day": "Quota of the day", "quota-month": "Quota of the month"}
LIMITED = {"quota-day": Limited.QUOTA_PER_DAY, "quota-month": Limited.QUOTA_PER_MONTH}
PER = {"quota-day": "requests a day (UTC)", "quota-month": "requests a month (UTC)"}


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit: ``used`` of ``allowance`` in ``unit``. Allowance None does not limit, used None is not counted.

    ``note`` says what else one must know; ``resets_at`` is when all of it is back. ``is_changed`` says that it is not the tier's number.
    """

    name: str
    allowance: int | None
    unit: str
    used: int | None = None
    resets_at: datetime | None = None
    note: str = ""
    is_changed: bool = False

    @property
    def percent(self) -> int:
        """Whole percent used, at most 100: as long as the bar is."""
        return min(100, percent_of(self.used or 0, self.allowance))

    @property
    def tone(self) -> str:
        """How the bar looks: as thresholds are told."""
        return "bad" if self.percent >= 100 else "warn" if self.percent >= 80 else ""


def lines_of(limits: Limits, quotas: Iterable[QuotaUse], minute: Point) -> list[LimitLine]:
    """Give a line for each limit; ``minute`` is the last one that is over."""
    lines = [
        LimitLine(
            NAMES[use.name],
            use.allowance,
            PER[use.name],
            use.used,
            use.resets_at,
            is_changed=LIMITED[use.name] in limits.overridden,
        )
        for use in quotas
    ]
    average = -(-minute.cost // MINUTE_SECONDS)
    rate = LimitLine(
        "Rate",
        limits.rate_per_second,
        "requests a second",
        average,
        note=f"average of the last full minute, rounded up; up to {limits.burst:,} at once",
        is_changed=bool(limits.overridden & {Limited.RATE, Limited.BURST}),
    )
    unit, changed = "requests at the same time", Limited.CONCURRENCY in limits.overridden
    return [*lines, rate, LimitLine("In flight", limits.concurrency, unit, is_changed=changed)]


def reasons_of(points: Iterable[Point]) -> list[tuple[str, int]]:
    """Give why requests were refused in these stretches, and how many, the most frequent first."""
    found = Counter[str]()
    for point in points:
        found.update(point.refusals)
    return [(REASONS.get(name, name), number) for name, number in sorted(found.items(), key=lambda one: (-one[1], one[0]))]
