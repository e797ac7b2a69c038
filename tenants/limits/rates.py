"""A rate with a burst, as the decision needs it: :mod:`core.gcra`'s arithmetic, with a state that knows under which limit it was written.

A theoretical arrival time alone does not say how many calls are owed: that depends on the interval, and an operator may change it
at any time. So the interval and the moment are stored beside it, and the debt, counted in calls, is carried over. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from core import gcra
from tenants.keys.codes import Code
from tenants.limits.judgement import Judgement, Standing, check_name

LONGEST_REFILL_SECONDS = 86_400
"""How long a burst may take to come back: a larger one is cut. Whoever means more than a day means a quota."""


class RateState(NamedTuple):
    """``tat_us`` as in :mod:`core.gcra`, written at ``seen_us`` under a limit of one call in ``interval_us``."""

    tat_us: int
    seen_us: int
    interval_us: int


@dataclass(frozen=True, slots=True)
class Rate:
    """``limit.count`` in ``limit.period_us``, at most ``limit.burst`` at once."""

    name: str
    limit: gcra.Limit
    code: ClassVar[Code] = Code.RATE_LIMITED

    def __post_init__(self) -> None:
        check_name(self.name)

    @classmethod
    def per_second(cls, name: str, rate: int, burst: int) -> Rate:
        """``rate`` calls a second. Raises ValueError unless both are positive."""
        if rate < 1 or burst < 1:
            raise ValueError(f"a rate and a burst are positive: {rate}, {burst}")
        return cls(name, gcra.Limit(rate, gcra.MICROSECONDS, burst=min(burst, rate * LONGEST_REFILL_SECONDS)))

    def judge(self, state: RateState | None, now_us: int, *, cost: int, lease_id: str = "") -> Judgement[RateState]:
        """Say whether ``cost`` fits. In no stretch of time is more admitted than the burst and what the rate brings in that stretch.

        Of time only the clock's steps forward count: when it goes back, what is owed stays owed, neither more nor less. When the limit
        has changed since, what is owed stays the same number of calls, cut at one burst.
        """
        tat = self._carried(state, now_us)
        decision, stored = gcra.decide(tat, now_us, self.limit, cost=cost)
        kept = stored if not decision.allowed else min(max(tat, now_us), now_us + self.limit.span_us)
        retry = 0 if decision.allowed else decision.retry_after_us
        return Judgement(decision.allowed, None if retry == -1 else retry, self._state(kept, now_us), self._state(stored, now_us))

    def standing(self, state: RateState, now_us: int) -> Standing:
        """How it stands. The quota is what the rate brings in the time that a whole burst needs, in whole seconds rounded up."""
        remaining, reset_after_us = gcra.look(self._carried(state, now_us), now_us, self.limit)
        window = -(-self.limit.span_us // gcra.MICROSECONDS) * gcra.MICROSECONDS
        return Standing(self.name, window // self.limit.interval_us, window, remaining, reset_after_us)

    def _carried(self, state: RateState | None, now_us: int) -> int:
        """The TAT that means now what the stored one meant then."""
        if state is None:
            return now_us
        owed = max(0, state.tat_us - state.seen_us)
        elapsed = max(0, now_us - state.seen_us)
        if state.interval_us != self.limit.interval_us:
            # What the old rate has paid back until now counts by the old rate: the change is learnt of now.
            owed, elapsed = max(0, owed - elapsed), 0
            owed = -(-owed * self.limit.interval_us // state.interval_us)
        return now_us + max(0, owed - elapsed)

    def _state(self, tat_us: int, now_us: int) -> RateState:
        return RateState(tat_us, now_us, self.limit.interval_us)
