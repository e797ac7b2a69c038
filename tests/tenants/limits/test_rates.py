"""A rate through changed limits and clocks that go back: what is owed stays owed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenants.limits.decision import decide
from tenants.limits.rates import LONGEST_REFILL_SECONDS, Rate

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND

sizes = st.tuples(st.integers(1, 20_000), st.integers(1, 5_000))


def rate(size: tuple[int, int]) -> Rate:
    return Rate.per_second("rate", *size)


def left(limit: Rate, states: dict, now: int) -> int:
    return decide([limit], states, now, cost=0)[0].standings[0].remaining


@given(sizes, st.lists(st.tuples(st.integers(-3 * SECOND, 3 * SECOND), st.integers(1, 50)), min_size=1, max_size=60))
def test_no_clock_gets_more_than_the_burst_and_its_steps_forward(size: tuple[int, int], calls: list[tuple[int, int]]) -> None:
    limit, now, states, admitted = rate(size), NOW, {}, []
    for step, cost in calls:
        now += step
        decision, states = decide([limit], states, now, cost=cost)
        admitted.append((max(0, step), cost if decision.is_admitted else 0))
    for first in range(len(admitted)):
        forward = spent = 0
        for place, (step, cost) in enumerate(admitted[first:]):
            forward, spent = forward + (step if place else 0), spent + cost
            assert spent <= limit.limit.burst + forward // limit.limit.interval_us + 1
            assert spent * limit.limit.interval_us <= limit.limit.span_us + forward


@given(sizes, st.integers(1, 10**15))
def test_after_a_step_back_nobody_waits_longer_than_before(size: tuple[int, int], back: int) -> None:
    limit = rate(size)
    _, states = decide([limit], {}, NOW, cost=limit.limit.burst)
    before, _ = decide([limit], states, NOW)
    after, states = decide([limit], states, NOW - min(back, NOW))
    assert (after.is_admitted, after.retry_after_us) == (False, before.retry_after_us)
    assert decide([limit], states, NOW - min(back, NOW) + (after.retry_after_us or 0))[0].is_admitted


@given(sizes, sizes, st.integers(0, 5_000), st.integers(0, 3 * SECOND))
def test_a_changed_limit_gives_back_no_more_than_the_difference(
    before: tuple[int, int], after: tuple[int, int], used: int, later: int
) -> None:
    old, new = rate(before), rate(after)
    _, states = decide([old], {}, NOW, cost=min(used, old.limit.burst))
    had, has = left(old, states, NOW + later), left(new, states, NOW + later)
    assert has <= had + max(0, new.limit.burst - old.limit.burst)
    assert has <= new.limit.burst
    if new.limit.burst >= old.limit.burst:
        assert has >= had, "raising takes nothing away"


def test_lowering_the_rate_alone_gives_no_burst_back() -> None:
    fast, slow = Rate.per_second("rate", 1_000, 20), Rate.per_second("rate", 1, 20)
    _, states = decide([fast], {}, NOW, cost=20)
    decision, states = decide([slow], states, NOW)
    assert (decision.is_admitted, decision.standings[0].remaining) == (False, 0)
    assert decision.retry_after_us == SECOND


def test_a_lowered_burst_is_waited_for_as_told() -> None:
    wide, narrow = Rate.per_second("rate", 10, 1_000), Rate.per_second("rate", 10, 2)
    _, states = decide([wide], {}, NOW, cost=1_000)
    refused, states = decide([narrow], states, NOW)
    assert (refused.is_admitted, refused.retry_after_us) == (False, SECOND // 10)
    assert decide([narrow], states, NOW + SECOND // 10)[0].is_admitted


def test_what_was_paid_back_before_a_change_counts_by_the_old_rate() -> None:
    fast, slow = Rate.per_second("rate", 10, 10), Rate.per_second("rate", 1, 10)
    _, states = decide([fast], {}, NOW, cost=10)
    assert left(slow, states, NOW + SECOND // 2) == 5


def test_a_burst_that_would_take_longer_than_a_day_is_cut() -> None:
    assert Rate.per_second("rate", 1, 2**31).limit.burst == LONGEST_REFILL_SECONDS
    fastest = Rate.per_second("rate", 2**31, 2**31)
    assert decide([fastest], {}, NOW, cost=2**31)[0].is_admitted


def test_not_even_the_rounding_of_a_change_gives_a_call_away() -> None:
    slow, fast = Rate.per_second("rate", 1, 10), Rate.per_second("rate", 1_000, 10)
    _, states = decide([slow], {}, NOW, cost=5)
    assert left(slow, states, NOW + SECOND - 1) == left(fast, states, NOW + SECOND - 1) == 5
