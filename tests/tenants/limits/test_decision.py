"""All limits or none: against a slow exact model, and what must hold of every decision."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gcra import Limit as Gcra
from tenants.keys.codes import Code
from tenants.limits.calendar import DAY_US, Period
from tenants.limits.concurrency import Concurrency, give_back
from tenants.limits.decision import Limit, decide
from tenants.limits.quotas import Quota, QuotaState
from tenants.limits.rates import Rate
from tests.tenants.limits.reference import Reference

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
RATE, DAILY = Rate.per_second("rate", 10, 5), Quota("quota-day", Period.DAY, 100)

rates = st.builds(
    lambda count, period, burst: Rate("rate", Gcra(count, period, burst=burst)),
    st.integers(1, 50),
    st.integers(1_000, 3_600 * SECOND),
    st.integers(1, 20),
)
key_rates = st.builds(lambda rate, burst: Rate.per_second("key-rate", rate, burst), st.integers(1, 50), st.integers(1, 20))
days = st.builds(lambda allowance: Quota("quota-day", Period.DAY, allowance), st.integers(0, 40))
months = st.builds(lambda allowance: Quota("quota-month", Period.MONTH, allowance), st.integers(0, 80))
slots = st.builds(lambda number, lease: Concurrency("concurrency", number, lease), st.integers(0, 4), st.integers(1, 10 * SECOND))
all_limits: st.SearchStrategy[list[Limit]] = st.tuples(rates, key_rates, days, months, slots).flatmap(
    lambda five: st.lists(st.sampled_from(five), unique_by=lambda limit: limit.name, max_size=5)
)
gaps = st.sampled_from([0, 1, 999, 50_000, SECOND, 30 * SECOND, 3_600 * SECOND, DAY_US, 20 * DAY_US])
calls = st.lists(
    st.tuples(gaps | st.integers(0, 2 * SECOND), st.integers(0, 6), st.sampled_from("abcdef"), st.booleans()), max_size=40
)


@given(all_limits, st.integers(0, 400 * DAY_US), calls)
def test_every_answer_is_the_slow_exact_models(limits: list[Limit], offset: int, calls: list[tuple[int, int, str, bool]]) -> None:
    now, states, reference = NOW + offset, {}, Reference(limits)
    for gap, cost, lease_id, returns in calls:
        now += gap
        decision, states = decide(limits, states, now, cost=cost, lease_id=lease_id)
        refusing = reference.ask(now, cost, lease_id)
        assert decision.is_admitted == (not refusing)
        assert not refusing or decision.refused_by in refusing
        for limit, standing in zip(limits, decision.standings, strict=True):
            if isinstance(limit, Rate):
                assert standing.remaining == reference.tokens(limit, now) // 1
            elif isinstance(limit, Quota):
                assert standing.remaining == max(0, limit.allowance - reference.used(limit, now))
            else:
                assert standing.remaining == max(0, limit.slots - len(reference.in_flight(limit, now)))
        if returns and "concurrency" in states:
            states = {**states, "concurrency": give_back(states["concurrency"], lease_id)}
            reference.give_back(lease_id)


@given(all_limits, st.integers(0, 400 * DAY_US), calls)
def test_a_refusal_spends_nothing_and_waiting_as_told_is_enough_for_rates_and_quotas(
    limits: list[Limit], offset: int, calls: list[tuple[int, int, str, bool]]
) -> None:
    now, states = NOW + offset, {}
    for gap, cost, lease_id, _ in calls:
        now += gap
        looked, _ = decide(limits, states, now, cost=0)
        decision, after = decide(limits, states, now, cost=cost, lease_id=lease_id)
        if decision.is_admitted:
            assert decision.retry_after_us == 0
        else:
            assert decision.standings == looked.standings, "what is left is what was left"
            assert decide(limits, after, now, cost=0)[0].standings == looked.standings
            if decision.retry_after_us is None:
                assert not any(
                    decide(limits, after, now + wait, cost=cost, lease_id="z")[0].is_admitted for wait in (SECOND, 400 * DAY_US)
                )
            else:
                assert decision.retry_after_us > 0
                without = [limit for limit in limits if not isinstance(limit, Concurrency)]
                later = decide(without, after, now + decision.retry_after_us, cost=cost)[0]
                assert later.is_admitted or later.refused_by != decision.refused_by
        states = after


@given(all_limits, st.integers(0, 400 * DAY_US), calls, st.integers(1, 50))
def test_whoever_may_have_more_may_have_less(
    limits: list[Limit], offset: int, calls: list[tuple[int, int, str, bool]], dear: int
) -> None:
    now, states = NOW + offset, {}
    for gap, cost, lease_id, _ in calls:
        now += gap
        _, states = decide(limits, states, now, cost=cost, lease_id=lease_id)
    answers = [decide(limits, states, now, cost=cost, lease_id="new")[0] for cost in range(1, dear + 1)]
    for cheaper, dearer in pairwise(answers):
        assert cheaper.is_admitted or not dearer.is_admitted
        if dearer.is_admitted:
            left = zip(cheaper.standings, dearer.standings, strict=True)
            assert all(less.remaining <= more.remaining for more, less in left)


def test_one_that_refuses_keeps_the_others_whole() -> None:
    decision, states = decide([RATE, Quota("quota-day", Period.DAY, 2)], {}, NOW, cost=3)
    assert (decision.code, decision.refused_by, decision.retry_after_us) == (Code.USAGE_EXCEEDED, "quota-day", None)
    assert [standing.remaining for standing in decision.standings] == [5, 2]
    assert decide([RATE], states, NOW, cost=5)[0].is_admitted


def test_of_two_that_refuse_the_lasting_one_is_named() -> None:
    limits = [RATE, Quota("quota-day", Period.DAY, 5)]
    _, states = decide(limits, {}, NOW, cost=5)
    decision, _ = decide(limits, states, NOW)
    assert (decision.code, decision.refused_by) == (Code.USAGE_EXCEEDED, "quota-day")
    assert decision.retry_after_us == DAY_US - NOW % DAY_US
    assert decision.tightest is not None
    assert decision.tightest.name == "quota-day"


def test_a_rate_alone_says_so() -> None:
    _, states = decide([RATE, DAILY], {}, NOW, cost=5)
    decision, _ = decide([RATE, DAILY], states, NOW)
    assert (decision.code, decision.refused_by, decision.retry_after_us) == (Code.RATE_LIMITED, "rate", SECOND // 10)


def test_without_limits_everything_is_admitted_and_nothing_is_tight() -> None:
    decision, states = decide([], {}, NOW, cost=10**30)
    assert (decision.is_admitted, decision.tightest, states) == (True, None, {})


def test_states_of_others_are_handed_through() -> None:
    other = QuotaState(1, 7)
    assert decide([RATE], {"else": other}, NOW)[1]["else"] is other


@pytest.mark.parametrize("cost", [10**12, 10**40])
def test_huge_costs_and_allowances_are_exact(cost: int) -> None:
    limits = [Quota("quota-day", Period.DAY, cost), RATE]
    assert decide(limits[:1], {}, NOW, cost=cost)[0].is_admitted
    decision, _ = decide(limits, {}, NOW, cost=cost)
    assert (decision.refused_by, decision.retry_after_us) == ("rate", None)
    assert decide(limits[:1], {"quota-day": QuotaState(NOW // DAY_US, 1)}, NOW, cost=cost)[0].refused_by == "quota-day"


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        decide([RATE], {}, NOW, cost=-1)
    with pytest.raises(ValueError, match="same name"):
        decide([RATE, RATE], {}, NOW)
    for make in (
        lambda: Rate.per_second("Rate", 1, 1),
        lambda: Rate.per_second("", 1, 1),
        lambda: Rate.per_second("rate", 0, 1),
        lambda: Rate.per_second("rate", 1, 0),
        lambda: Quota("quota", Period.DAY, -1),
        lambda: Concurrency("slots", -1, 1),
        lambda: Concurrency("slots", 1, 0),
    ):
        with pytest.raises(ValueError, match=r"not|positive"):
            make()
