"""What if: the replay of a minute is what the real decision would have said to each of its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gcra import MICROSECONDS, Limit
from tenants.limits.calendar import DAY_US, Period
from tenants.limits.decision import decide
from tenants.limits.effective import KeyLimits, Limits, rules_of
from tenants.limits.quotas import Quota, QuotaState
from tenants.limits.rates import Rate
from tenants.usage.replay import Minute, Replayed, replay
from tenants.usage.spacing import CYCLES, MINUTE_US

AT = 20_000 * DAY_US
DIVISORS = [number for number in range(1, 101) if MINUTE_US % number == 0]
"""Numbers of requests whose distances are whole microseconds, as the real decision wants them."""


def decided(minutes: Sequence[Minute], rules: list[Any], *, evenly: bool) -> list[dict[str, int]]:
    """Ask the real decision for each request, one by one; gives the refused of each minute by the limit that refused."""
    states: dict[str, Any] = {}
    found = []
    for minute in minutes:
        refused = Counter[str]()
        for place in range(minute.requests):
            at = minute.begins_us + (place * MINUTE_US // minute.requests if evenly else 0)
            decision, states = decide(rules, states, at, cost=minute.cost // minute.requests)
            if not decision.is_admitted:
                refused[decision.refused_by] += 1
        found.append(dict(refused))
    return found


def told(replayed: Sequence[Replayed]) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    return [dict(one.evenly) for one in replayed], [dict(one.at_once) for one in replayed]


def _placed(rows: list[tuple[int, int, int]]) -> list[Minute]:
    at, found = AT, []
    for gap, requests, cost in rows:
        at += gap * MINUTE_US
        found.append(Minute(at, requests, requests * cost))
        at += MINUTE_US
    return found


minutes_ = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(DIVISORS), st.integers(1, 4)), min_size=1, max_size=3).map(_placed)
rates = st.builds(
    lambda count, seconds, burst: Rate("rate", Limit(count, seconds * MICROSECONDS, burst=burst)),
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 12),
)
quotas = st.builds(lambda allowance: Quota("quota-day", Period.DAY, allowance), st.integers(0, 400))


@given(minutes_, rates)
def test_a_rate_is_replayed_as_it_would_have_decided(minutes: list[Minute], rate: Rate) -> None:
    evenly, at_once = told(replay(minutes, [rate]))
    assert evenly == decided(minutes, [rate], evenly=True)
    assert at_once == decided(minutes, [rate], evenly=False)


@given(minutes_, rates, quotas)
def test_a_rate_and_a_quota_are_replayed_as_they_would_have_decided(minutes: list[Minute], rate: Rate, quota: Quota) -> None:
    # Where the last that fits costs more than is left, the real one goes on to admit cheaper ones of later minutes; so does the replay.
    evenly, at_once = told(replay(minutes, [rate, quota]))
    assert evenly == decided(minutes, [rate, quota], evenly=True)
    assert at_once == decided(minutes, [rate, quota], evenly=False)


def test_a_day_s_quota_is_whole_again_at_midnight() -> None:
    minutes = [Minute(AT + DAY_US - MINUTE_US, 10, 10), Minute(AT + DAY_US, 10, 10)]
    quota = Quota("quota-day", Period.DAY, 12)
    begun = {"quota-day": QuotaState(AT // DAY_US, 5)}
    assert told(replay(minutes, [quota], used=begun))[0] == [{"quota-day": 3}, {}]


def test_the_average_cost_need_not_be_whole() -> None:
    minutes = [Minute(AT, 7, 10)]  # about 1.43 each
    (found,) = replay(minutes, [Quota("quota-day", Period.DAY, 5)])
    assert (found.refused_evenly, found.refused_at_once) == (4, 4)
    assert replay([Minute(AT, 7, 0)], [Quota("quota-day", Period.DAY, 0)])[0].refused_evenly == 0


def test_large_numbers_take_no_longer_and_come_to_what_the_rate_brings() -> None:
    limits = Limits(rate_per_second=1_000, burst=2_000, quota_per_day=10**12, concurrency=5)
    minutes = [Minute(AT + number * MINUTE_US, 6_000_000, 6_000_000) for number in range(10_080)]
    found = replay(minutes, rules_of(limits))
    assert len(found) == 10_080
    admitted = [minute.requests - minute.refused_evenly for minute in found]
    assert admitted[0] == pytest.approx(62_000, abs=2)
    assert admitted[-1] == pytest.approx(60_000, abs=2)
    assert {minute.requests - minute.refused_at_once for minute in found} == {2_000}
    assert found[-1].evenly.keys() == {"rate"}


def test_a_burst_of_one_is_followed_for_a_while_and_then_taken_to_go_on() -> None:
    minute = [Minute(AT, 60_000, 60_000)]
    rate = Rate.per_second("rate", 700, 1)
    assert CYCLES < 700 * 60
    (refused,) = decided(minute, [rate], evenly=True)
    (found,) = replay(minute, [rate])
    assert found.refused_evenly == pytest.approx(refused["rate"], rel=0.001)


def test_what_nobody_limits_is_not_refused_and_order_is_kept() -> None:
    assert replay([Minute(AT, 9, 9)], [])[0] == Replayed(AT, 9)
    with pytest.raises(ValueError, match="in their order"):
        replay([Minute(AT, 9, 9), Minute(AT, 9, 9)], [])
    with pytest.raises(ValueError, match="one rate"):
        replay([], rules_of(Limits(1, 1, 1), KeyLimits(1, 1)))
