"""A quota: so much cost in a day or a month of the UTC calendar. What was used is stored, not what is left, so that a changed quota clamps. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from tenants.keys.codes import Code
from tenants.limits.calendar import DAY_US, Period
from tenants.limits.judgement import Judgement, Standing, check_name

BACKSTEP_US = DAY_US
"""How far behind the beginning of the period that was counted last a clock may be and still be counted into it."""


class QuotaState(NamedTuple):
    """How much was used in the period with this number."""

    period: int
    used: int


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``allowance`` a period; 0 allows nothing."""

    name: str
    period: Period
    allowance: int
    code: ClassVar[Code] = Code.USAGE_EXCEEDED

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.allowance < 0:
            raise ValueError(f"an allowance is not negative: {self.allowance}")

    def judge(self, state: QuotaState | None, now_us: int, *, cost: int, lease_id: str = "") -> Judgement[QuotaState]:
        """Say whether ``cost`` fits into what is left of the period. A look (cost 0) is always allowed.

        When the quota was lowered below what was used, nothing is left until the next period; when it is raised, what comes back is the
        difference and no more. A clock that steps back over midnight gives no new day: what was used stays used.
        """
        kept = self._present(state, now_us)
        fits = cost == 0 or kept.used + cost <= self.allowance
        retry = 0 if fits else None if cost > self.allowance else self.period.ends_us(kept.period) - now_us
        return Judgement(fits, retry, kept, QuotaState(kept.period, kept.used + cost))

    def standing(self, state: QuotaState, now_us: int) -> Standing:
        """How it stands; the window is this very period, so months differ."""
        present = self._present(state, now_us)
        begins, ends = self.period.begins_us(present.period), self.period.ends_us(present.period)
        return Standing(self.name, self.allowance, ends - begins, max(0, self.allowance - present.used), ends - now_us)

    def _present(self, state: QuotaState | None, now_us: int) -> QuotaState:
        number = self.period.number(now_us)
        if state is None or state.period < number:
            return QuotaState(number, 0)
        if state.period > number and now_us < self.period.begins_us(state.period) - BACKSTEP_US:
            # The clock was far ahead: its period must not bind until it comes, and what was used meanwhile must not be forgotten.
            return QuotaState(number, state.used)
        return state
