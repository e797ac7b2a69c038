"""The limits once more, slow and exact, written from their meaning and not from the product's arithmetic.

Everything that was ever admitted is kept in a list, and each answer is worked out from the whole of it: a bucket that is refilled in exact
fractions, sums over real calendar dates, leases one by one. For clocks that go forward and limits that stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from tenants.limits.calendar import Period
from tenants.limits.concurrency import Concurrency
from tenants.limits.decision import Limit
from tenants.limits.quotas import Quota
from tenants.limits.rates import Rate


@dataclass
class Reference:
    """One caller's limits and the log of what was admitted: (when, cost, lease)."""

    limits: list[Limit]
    log: list[tuple[int, int, str]] = field(default_factory=list)
    given_back: dict[str, int] = field(default_factory=dict)

    def ask(self, now_us: int, cost: int, lease_id: str) -> list[str]:
        """Give the names of the limits that refuse; when there are none, the request is in the log."""
        refusing = [limit.name for limit in self.limits if not self._fits(limit, now_us, cost, lease_id)]
        if not refusing and cost:
            self.log.append((now_us, cost, lease_id))
        return refusing

    def give_back(self, lease_id: str) -> None:
        """What the log has of this lease so far is over; by its place in the log, as two things may happen in one microsecond."""
        self.given_back[lease_id] = len(self.log)

    def _fits(self, limit: Limit, now_us: int, cost: int, lease_id: str) -> bool:
        if cost == 0:
            return True
        if isinstance(limit, Rate):
            return self.tokens(limit, now_us) >= cost
        if isinstance(limit, Quota):
            return self.used(limit, now_us) + cost <= limit.allowance
        return lease_id in self.in_flight(limit, now_us) or len(self.in_flight(limit, now_us)) < limit.slots

    def tokens(self, limit: Rate, now_us: int) -> Fraction:
        """What is in the bucket: full at the beginning, one more each interval, never above the burst."""
        burst = Fraction(limit.limit.burst or limit.limit.count)
        tokens, at = burst, None
        for when, cost, _ in self.log:
            if at is not None:
                tokens = min(burst, tokens + Fraction(when - at, limit.limit.interval_us))
            tokens, at = tokens - cost, when
        return tokens if at is None else min(burst, tokens + Fraction(now_us - at, limit.limit.interval_us))

    def used(self, limit: Quota, now_us: int) -> int:
        """What was admitted on the same date, or in the same month."""
        return sum(cost for when, cost, _ in self.log if _calendar(limit.period, when) == _calendar(limit.period, now_us))

    def in_flight(self, limit: Concurrency, now_us: int) -> set[str]:
        """Whose last admission is younger than a lease and was not followed by its return."""
        last = {lease_id: (place, when) for place, (when, _, lease_id) in enumerate(self.log)}
        return {
            lease_id
            for lease_id, (place, when) in last.items()
            if when + limit.lease_us > now_us and self.given_back.get(lease_id, 0) <= place
        }


def _calendar(period: Period, when_us: int) -> tuple[int, ...]:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=when_us)
    return (date.year, date.month, date.day) if period is Period.DAY else (date.year, date.month)
