"""Quotas by the calendar: midnights, months, changed allowances, clocks that go back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.keys.codes import Code
from tenants.limits.calendar import DAY_US, Period
from tenants.limits.decision import decide
from tenants.limits.quotas import Quota

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(year: int, month: int, day: int, *clock: int) -> int:
    return (datetime(year, month, day, *clock, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def month(allowance: int) -> Quota:
    return Quota("quota-month", Period.MONTH, allowance)


def day(allowance: int) -> Quota:
    return Quota("quota-day", Period.DAY, allowance)


@pytest.mark.parametrize(
    ("limit", "last", "first"),
    [
        (day(5), at(2026, 12, 31, 23, 59, 59, 999_999), at(2027, 1, 1)),
        (month(5), at(2026, 12, 31, 23, 59, 59, 999_999), at(2027, 1, 1)),
        (month(5), at(2028, 2, 29, 23, 59, 59, 999_999), at(2028, 3, 1)),
        (month(5), at(2100, 2, 28, 23, 59, 59, 999_999), at(2100, 3, 1)),
    ],
)
def test_a_quota_is_whole_again_at_the_first_moment_of_the_next_period(limit: Quota, last: int, first: int) -> None:
    _, states = decide([limit], {}, last, cost=5)
    refused, states = decide([limit], states, last)
    assert (refused.code, refused.retry_after_us) == (Code.USAGE_EXCEEDED, 1)
    assert decide([limit], states, first, cost=5)[0].is_admitted


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 1_000))
def test_a_changed_quota_clamps_and_gives_back_the_difference_at_most(before: int, after: int, used: int) -> None:
    now = at(2026, 11, 20, 12)
    _, states = decide([day(before)], {}, now, cost=min(used, before))
    had = decide([day(before)], states, now, cost=0)[0].standings[0].remaining
    has = decide([day(after)], states, now, cost=0)[0].standings[0].remaining
    assert has == max(0, after - min(used, before))
    assert has - had <= max(0, after - before)


def test_lowering_and_raising_again_gives_nothing() -> None:
    now, states = at(2026, 11, 20, 12), {}
    _, states = decide([day(100)], states, now, cost=90)
    refused, states = decide([day(10)], states, now)
    assert (refused.is_admitted, refused.retry_after_us) == (False, DAY_US // 2)
    assert decide([day(100)], states, now, cost=0)[0].standings[0].remaining == 10


def test_a_clock_that_steps_back_over_midnight_gives_no_new_day() -> None:
    midnight, states = at(2026, 11, 21), {}
    _, states = decide([day(5)], states, midnight + 1_000, cost=5)
    for step in (-1_000, 1_000, -500, 2_000):
        decision, states = decide([day(5)], states, midnight + step)
        assert not decision.is_admitted
    assert decide([day(5)], states, midnight + DAY_US)[0].is_admitted


def test_a_clock_that_was_far_ahead_binds_nobody_for_years() -> None:
    now, states = at(2026, 11, 20, 12), {}
    _, states = decide([day(5)], states, at(2030, 1, 1), cost=4)
    decision, states = decide([day(5)], states, now)
    assert (decision.is_admitted, decision.standings[0].remaining) == (True, 0), "what was used is not forgotten either"
    assert decide([day(5)], states, now + DAY_US, cost=5)[0].is_admitted


def test_nothing_allowed_is_nothing() -> None:
    decision, _ = decide([day(0)], {}, at(2026, 11, 20))
    assert (decision.is_admitted, decision.retry_after_us) == (False, None)
    assert decide([day(0)], {}, at(2026, 11, 20), cost=0)[0].is_admitted


@given(st.integers(0, at(9998, 1, 1)))
def test_periods_follow_one_another_without_a_gap(now: int) -> None:
    for period in Period:
        number = period.number(now)
        assert period.begins_us(number) <= now < period.ends_us(number) == period.begins_us(number + 1)
        assert period.number(period.ends_us(number)) == number + 1
