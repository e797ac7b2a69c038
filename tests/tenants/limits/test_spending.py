"""The decision inside Redis: the pure function's, to the last microsecond, and its promises beside many callers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import KEY, TENANT, new_id
from tenants.keys.codes import Code
from tenants.limits import spending
from tenants.limits.calendar import DAY_US, Period
from tenants.limits.concurrency import give_back
from tenants.limits.decision import decide
from tenants.limits.effective import KeyLimits, Limits
from tenants.limits.spending import Bill, Drawn, Returned
from tests.tenants.limits.till import LATER, Till

SECOND = 1_000_000
ACME, GLOBEX, ACMES_KEY = new_id(TENANT), new_id(TENANT), new_id(KEY)
AMPLE = Limits(1_000, 1_000, 1_000_000, 10_000_000)
ours = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

rates = st.sampled_from([1, 2, 3, 7, 50, 999, 70_000, 1_000_000, 2**31 - 1])
bursts = st.sampled_from([1, 2, 5, 30, 2**31 - 1])
quotas = st.sampled_from([0, 1, 9, 40, 200, 5_000, 2**53 - 1])
slots = st.sampled_from([0, 1, 3, 2**31 - 1])
tenants = st.builds(Limits, rates, bursts, quotas, st.none() | quotas, st.none() | slots)
keys = st.none() | st.builds(
    KeyLimits, st.none() | rates, st.none() | bursts, st.none() | quotas, st.none() | quotas, st.none() | slots
)
forward = [0, 0, 1, 999, 50_000, SECOND, 60 * SECOND - 1, 60 * SECOND, 3_600 * SECOND, DAY_US, 31 * DAY_US]
back = [-1, -SECOND, -DAY_US - 1, -2 * DAY_US, -40 * DAY_US]
questions = st.lists(
    st.tuples(
        st.sampled_from(forward + back),
        st.integers(0, 6) | st.sampled_from([100, 2**31 - 1]),
        st.sampled_from(["", "", "a", "b", "c"]),
        st.sampled_from([0, 0, 1, 4, 1_000]),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)
stories = st.lists(st.tuples(tenants, keys, questions), min_size=1, max_size=4)


@pytest.fixture
def till(clean_redis: redis.Redis) -> Iterator[Till]:
    return Till(clean_redis)


class Pure:
    """The same questions, asked of the pure function, with the states of acme and its key in a dictionary."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}

    def check(self, drawn: Drawn) -> None:
        """Compare, and charge what Redis says that it has charged."""
        bill, before = drawn.bill, self.states
        decision, self.states = decide(bill.rules, before, drawn.now_us, cost=bill.cost, lease_id=bill.lease_id)
        if drawn.extra:
            assert decision.is_admitted
            assert bill.cost
            assert drawn.extra <= bill.extra
            more, self.states = decide(bill.rules, before, drawn.now_us, cost=bill.cost + drawn.extra, lease_id=bill.lease_id)
            assert more.is_admitted, "a lease is never more than there is"
            decision = more._replace(cost=bill.cost)
        if not (decision.is_admitted and bill.cost):
            self.states = {name: state for name, state in self.states.items() if name in before or self.is_kept(name, before)}
        assert drawn.decision == decision
        assert (drawn.is_admitted, drawn.code) == (decision.is_admitted, decision.code)

    @staticmethod
    def is_kept(name: str, before: dict[str, Any]) -> bool:
        """Of whom nothing is known nothing is written until it spends something."""
        return any(other.startswith("key-") == name.startswith("key-") for other in before if "concurrency" not in other)

    def give_back(self, lease_id: str) -> None:
        for name in ("concurrency", "key-concurrency"):
            if name in self.states:
                self.states = {**self.states, name: give_back(self.states[name], lease_id)}


def tell(till: Till, story: list) -> None:
    till.forget()
    pure = Pure()
    for limits, key, asked in story:
        for gap, cost, lease_id, extra, returns in asked:
            if till.now_us is not None:
                till.now_us += gap
            pure.check(till.ask(Bill(ACME, limits, ACMES_KEY, key, cost=cost, extra=extra, lease_id=lease_id)))
            if returns and lease_id:
                # A question about the tenant alone leaves the key's limits as they were, so both are given back.
                till.give_back(ACME, ACMES_KEY, lease_id)
                pure.give_back(lease_id)


@ours
@given(stories)
def test_every_answer_is_the_pure_functions_by_redis_own_clock(till: Till, story: list) -> None:
    tell(till, story)


@ours
@given(stories, st.integers(0, 140), st.integers(-DAY_US, DAY_US) | st.integers(-2, 2))
def test_and_by_a_clock_that_jumps_over_midnights_and_months_and_back(till: Till, story: list, month: int, offset: int) -> None:
    till.now_us = Period.MONTH.begins_us(Period.MONTH.number(LATER) + 1 + month) + offset
    tell(till, story)


@pytest.mark.parametrize("back_us", [1, DAY_US, DAY_US + 1, 2 * DAY_US, 27 * DAY_US, 60 * DAY_US])
@pytest.mark.parametrize("month", range(1, 13))
def test_a_clock_that_stepped_back_out_of_a_month_is_taken_as_the_pure_function_takes_it(
    till: Till, month: int, back_us: int
) -> None:
    pure, limits, begins = Pure(), Limits(1_000, 1_000, 50, 50), Period.MONTH.begins_us(Period.MONTH.number(LATER) + month)
    for till.now_us in (begins, begins - back_us, begins + DAY_US):
        for _ in range(3):
            pure.check(till.ask(Bill(ACME, limits, cost=8)))


def test_a_slot_comes_back_in_the_microsecond_in_which_its_lease_ends(till: Till) -> None:
    till.now_us, limits = LATER, replace(AMPLE, concurrency=1)
    assert till.ask(Bill(ACME, limits, lease_id="a")).is_admitted
    till.now_us += 60 * SECOND - 1
    refused = till.ask(Bill(ACME, limits, lease_id="b"))
    assert (refused.refused_by, refused.retry_after_us) == ("concurrency", 1)
    till.now_us += 1
    assert till.ask(Bill(ACME, limits, lease_id="b")).is_admitted
    assert till.give_back(ACME, "", "b") == 1
    assert till.give_back(ACME, ACMES_KEY, "b") == 0, "repeatable"
    assert till.ask(Bill(ACME, limits, lease_id="c")).is_admitted


def test_a_quota_that_is_lifted_and_comes_back_has_used_what_it_had(till: Till) -> None:
    pure, now = Pure(), LATER + DAY_US
    till.now_us = now
    for day, month in ((100, 100), (100, None), (100, 100), (100, 10)):
        pure.check(till.ask(Bill(ACME, Limits(1_000, 1_000, day, month), cost=7)))
    key = KeyLimits(1_000, 1_000, 100)
    for own in (key, KeyLimits(1_000, 1_000), None, key, KeyLimits(quota_per_month=20), key):
        pure.check(till.ask(Bill(ACME, AMPLE, ACMES_KEY, own, cost=7)))


def test_days_and_months_are_those_of_the_calendar(till: Till) -> None:
    month = Period.MONTH.number(1_700_000_000 * SECOND)
    for number in range(month, month + 12 * 180):
        for now in (Period.MONTH.begins_us(number), Period.MONTH.ends_us(number) - 1):
            till.now_us = now
            drawn = till.ask(Bill(ACME, AMPLE))
            assert drawn.periods == (now // DAY_US, number, 0, 0)
        till.forget()


def test_eight_callers_at_once_never_get_more_than_the_limit_in_any_stretch_of_time(till: Till, redis_url: str) -> None:
    limits, seen = Limits(200, 20, 10_000, concurrency=None), []
    bill = Bill(ACME, limits, extra=3)

    def hammer() -> None:
        with redis.Redis.from_url(redis_url) as client:
            one = Till(client)
            mine = [drawn for _ in range(25) for drawn in one.ask_all([bill] * 20)]
            seen.extend(mine)

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    admitted = sorted((drawn.now_us, 1 + drawn.extra) for drawn in seen if drawn.is_admitted)
    assert len(seen) == 4_000
    assert 20 <= sum(cost for _, cost in admitted) < 4_000
    # As a bucket that leaks at the rate and never runs over: the same as every pair of moments, in one pass.
    poured, last = 0, 0
    for now, cost in admitted:
        poured, last = max(0, poured - (now - last)) + cost * 5_000, now
        assert poured <= 20 * 5_000


def test_eight_callers_at_once_share_a_quota_and_slots_to_the_last_one(till: Till, redis_url: str) -> None:
    limits, seen = Limits(1_000_000, 1_000_000, 700, 600, 5), []

    def hammer(number: int) -> None:
        with redis.Redis.from_url(redis_url) as client:
            one = Till(client)
            for turn in range(60):
                drawn = one.ask(Bill(ACME, limits, cost=2, extra=40, lease_id=f"{number}-{turn}"))
                seen.append(drawn)
                if turn < 59:  # whoever comes first must not keep them all, or nobody else ever has one
                    one.give_back(ACME, "", f"{number}-{turn}")

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while (drawn := till.ask(Bill(ACME, limits))).is_admitted:
        seen.append(drawn)
    assert sum(drawn.bill.cost + drawn.extra for drawn in seen if drawn.is_admitted) == 600
    assert drawn.refused_by == "quota-month"
    held = {drawn.bill.lease_id for drawn in seen if drawn.is_admitted and drawn.bill.lease_id}
    assert till.client.zcard(spending.FLIGHT + spending.place_of(ACME)) <= 5 < len(held)


def test_a_lease_is_little_of_what_is_left_of_a_quota_so_that_none_of_it_is_lost(till: Till) -> None:
    limits, admitted, extras = Limits(1_000_000, 1_000_000, 1_000), 0, []
    while (drawn := till.ask(Bill(ACME, limits, extra=50))).is_admitted:
        admitted += 1 + drawn.extra
        extras.append(drawn.extra)
    assert admitted == 1_000
    assert extras[0] == 15
    assert extras[-64:] == [0] * 64


def test_what_is_given_back_goes_into_the_period_that_it_came_from(till: Till) -> None:
    till.now_us = LATER + DAY_US - SECOND
    first = till.ask(Bill(ACME, AMPLE, ACMES_KEY, KeyLimits(quota_per_day=10_000), extra=100))
    assert first.extra == 100
    bill = Bill(ACME, AMPLE, ACMES_KEY, KeyLimits(quota_per_day=10_000), cost=0, returned=(Returned(60, first.periods),))
    after = {standing.name: standing.remaining for standing in till.ask(bill).decision.standings}
    assert after == {"rate": 899, "quota-day": 999_959, "quota-month": 9_999_959, "key-quota-day": 9_959}
    till.now_us += 2 * SECOND  # the next day of the same month
    till.ask(replace(bill, cost=5, returned=()))
    after = {
        standing.name: standing.remaining
        for standing in till.ask(replace(bill, returned=(Returned(20, first.periods),))).decision.standings
    }
    assert (after["quota-day"], after["key-quota-day"], after["quota-month"]) == (999_995, 9_995, 10_000_000 - 41 - 5 + 20)
    till.ask(replace(bill, returned=(Returned(2**40, first.periods),)))
    assert till.ask(replace(bill, returned=())).decision.standings[2].remaining == 10_000_000, "never below nothing used"


def test_what_is_given_back_after_a_month_has_ended_is_let_go(till: Till) -> None:
    till.now_us = Period.MONTH.ends_us(Period.MONTH.number(LATER)) - SECOND
    first = till.ask(Bill(ACME, AMPLE, cost=100))
    till.now_us += 2 * SECOND
    till.ask(Bill(ACME, AMPLE, cost=50))
    after = till.ask(Bill(ACME, AMPLE, cost=0, returned=(Returned(100, first.periods),))).decision.standings
    assert [standing.remaining for standing in after[1:]] == [999_950, 9_999_950]


def test_a_key_is_given_back_what_was_charged_to_it_and_not_what_its_tenant_was(till: Till) -> None:
    till.now_us, key = LATER, KeyLimits(quota_per_day=100)
    till.ask(Bill(ACME, AMPLE, ACMES_KEY, key, cost=50))
    alone = till.ask(Bill(ACME, AMPLE, cost=10))
    till.ask(Bill(ACME, AMPLE, ACMES_KEY, key, cost=0, returned=(Returned(10, alone.periods),)))
    after = {one.name: one.remaining for one in till.ask(Bill(ACME, AMPLE, ACMES_KEY, key, cost=0)).decision.standings}
    assert (after["quota-day"], after["key-quota-day"]) == (999_950, 50)


def test_quota_that_was_given_back_can_be_had_by_the_very_question_that_gives_it(till: Till) -> None:
    limits = Limits(1_000, 1_000, 100)
    drawn = till.ask(Bill(ACME, limits, cost=100))
    assert till.ask(Bill(ACME, limits)).code is Code.USAGE_EXCEEDED
    assert till.ask(Bill(ACME, limits, cost=2, returned=(Returned(2, drawn.periods),))).is_admitted
    assert till.ask(Bill(ACME, limits)).code is Code.USAGE_EXCEEDED


def test_nobody_spends_what_is_anothers_and_a_look_leaves_nothing_behind(till: Till) -> None:
    limits = Limits(1, 1, 5)
    assert till.ask(Bill(GLOBEX, limits, cost=0)).is_admitted
    assert till.client.keys("edge:*") == []
    assert till.ask(Bill(ACME, limits)).is_admitted
    assert till.ask(Bill(ACME, limits)).refused_by == "rate"
    assert till.ask(Bill(GLOBEX, limits)).is_admitted
    assert till.ask(Bill("operator:7", limits)).is_admitted, "who is no tenant can be limited as well"


def test_what_is_kept_is_small_and_goes_when_it_says_nothing_any_more(till: Till) -> None:
    limits, key = Limits(10, 20, 1_000, None, 2), KeyLimits(rate_per_second=2)
    now = till.ask(Bill(ACME, limits, ACMES_KEY, key, cost=2, lease_id="a")).now_us
    day_ends = Period.DAY.ends_us(now // DAY_US) // 1_000
    left = {name: till.client.pexpiretime(name) for name in till.client.keys("edge:*")}
    spent, of_key = spending.SPENT + spending.place_of(ACME), spending.SPENT + spending.place_of(ACMES_KEY)
    flight = spending.FLIGHT + spending.place_of(ACME)
    assert set(left) == {spent, of_key, flight}, "the key has no limit of requests in flight, so nothing is kept of them"
    assert till.client.strlen(spent) == 44
    assert left[spent] - day_ends - DAY_US // 1_000 in range(3), "a day longer, as the clock may step back into it"
    assert left[of_key] - now // 1_000 in range(1_000, 1_004), "when its burst is whole again"
    assert left[flight] - now // 1_000 in range(60_000, 60_004)
    of_month = till.client.pexpiretime(spending.SPENT + spending.place_of(till.ask(Bill(GLOBEX, AMPLE)).bill.tenant_id))
    assert of_month - Period.MONTH.ends_us(Period.MONTH.number(now)) // 1_000 - DAY_US // 1_000 in range(3)


def test_nonsense_is_refused_before_redis_is_asked() -> None:
    for wrong in (
        {"cost": -1},
        {"extra": -1},
        {"cost": 2**31},
        {"capacity": -1},
        {"lease_id": "a" * 129},
        {"key_limits": KeyLimits()},
    ):
        with pytest.raises(ValueError, match=r"not negative|short"):
            Bill(ACME, AMPLE, **wrong)  # type: ignore[arg-type]
