"""The platform's capacity, shared in Redis: the answers of the pure sharing, and its promises, with any number of doors."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from fractions import Fraction

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import TENANT, new_id
from tenants.keys.codes import Code
from tenants.limits import spending
from tenants.limits.bills import BORROWING, FILLING, PLATFORM_STATE
from tenants.limits.effective import Limits
from tenants.limits.fairness import Sharing
from tenants.limits.projection import WEIGHTS
from tenants.limits.spending import Bill, Drawn
from tests.tenants.limits.till import LATER, Till

SECOND = 1_000_000
NAMES = "abcdef"
IDS = {name: new_id(TENANT) for name in NAMES}
ours = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

platforms = st.tuples(st.integers(1, 5_000), st.dictionaries(st.sampled_from(NAMES), st.integers(1, 40), min_size=1, max_size=6))
gaps = st.sampled_from([0, 0, 1, 137, 20_000, 400_000, SECOND, -50_000, 10 * SECOND])
calls = st.lists(st.tuples(gaps, st.sampled_from(NAMES), st.integers(1, 8), st.integers(1, 30)), min_size=1, max_size=30)


@pytest.fixture
def till(clean_redis: redis.Redis) -> Iterator[Till]:
    return Till(clean_redis, LATER)


def bill_of(name: str, capacity: int, weights: dict[str, int], cost: int = 1, extra: int = 0) -> Bill:
    """Without any limit but the platform's."""
    limits = Limits(1_000_000, 2**31 - 1, 2**53 - 1, weight=weights[name])
    return Bill(IDS[name], limits, cost=cost, extra=extra, capacity=capacity, weights=sum(weights.values()))


def asked(till: Till, platform: tuple, calls: list) -> list[tuple[int, int, str, int, Drawn]]:
    """Every single question of ``calls``, each asked a number of times: (the clock, forward time, whose, cost, what was said)."""
    (capacity, weights), forward, answers = platform, 0, []
    till.forget()
    till.now_us = LATER
    for gap, name, cost, times in calls:
        till.now_us, forward = till.now_us + gap, forward + max(0, gap)
        if name in weights:
            drawn = till.ask_all([bill_of(name, capacity, weights, cost)] * times)
            answers += [(till.now_us, forward, name, cost, one) for one in drawn]
    return answers


@ours
@given(platforms, calls)
def test_the_answers_are_the_pure_sharings(till: Till, platform: tuple, calls: list) -> None:
    sharing = Sharing(*platform)
    for now, _, name, cost, drawn in asked(till, platform, calls):
        grant = sharing.ask(name, now, cost=cost)
        assert drawn.is_admitted == grant.is_admitted
        assert drawn.refused_by == ("" if grant.is_admitted else spending.PLATFORM)
        if grant.retry_after_us is not None:
            assert abs((drawn.retry_after_us or 0) - grant.retry_after_us) <= 1
        else:
            assert drawn.retry_after_us == SECOND, "its own bucket never will, but what is lent may"


@pytest.mark.parametrize("seed", range(4))
def test_and_so_they_are_in_traffic_that_keeps_the_platform_full(till: Till, seed: int) -> None:
    chance, weights = random.Random(seed), {"a": 1, "b": 2, "c": 4, "d": 8, "e": 1}
    capacity = chance.choice([30, 200, 2_000])
    sharing, admitted = Sharing(capacity, weights), 0
    assert till.now_us is not None
    for _ in range(1_500):
        till.now_us += int(chance.expovariate(1.5 * capacity) * SECOND)
        name, cost = chance.choices("abcde", (9, 3, 3, 1, 1))[0], chance.choice([1, 1, 1, 3])
        drawn, grant = till.ask(bill_of(name, capacity, weights, cost)), sharing.ask(name, till.now_us, cost=cost)
        assert drawn.is_admitted == grant.is_admitted
        admitted += grant.is_admitted
    assert 300 < admitted < 1_400, "some were refused, as there was too little"


@ours
@given(platforms, calls)
def test_a_request_within_the_guarantee_is_admitted_whatever_the_others_do(till: Till, platform: tuple, calls: list) -> None:
    capacity, weights = platform
    rate = {name: Fraction(capacity * weight, sum(weights.values())) for name, weight in weights.items()}
    depth = {name: max(rate[name], Fraction(1)) for name in weights}
    level, at = dict(depth), dict.fromkeys(weights, 0)
    for _, forward, name, cost, drawn in asked(till, platform, calls):
        level[name] = min(depth[name], level[name] + rate[name] * (forward - at[name]) / SECOND)
        at[name] = forward
        assert drawn.is_admitted or level[name] < cost
        level[name] = max(Fraction(0), level[name] - cost) if drawn.is_admitted else level[name]


@ours
@given(platforms, calls, st.sampled_from([0, 3, 1_000]))
def test_together_they_never_get_more_than_there_is(till: Till, platform: tuple, calls: list, extra: int) -> None:
    (capacity, weights), forward = platform, 0
    burst, poured, last = Sharing(*platform).burst, Fraction(0), 0
    till.forget()
    till.now_us = LATER
    for gap, name, cost, times in calls:
        till.now_us, forward = till.now_us + gap, forward + max(0, gap)
        if name not in weights:
            continue
        poured, last = max(Fraction(0), poured - Fraction(capacity * (forward - last), SECOND)), forward
        for drawn in till.ask_all([bill_of(name, capacity, weights, cost, extra)] * times):
            poured += cost + drawn.extra if drawn.is_admitted else 0
        assert poured <= burst + Fraction(1, 1_000)


@settings(ours, max_examples=15)
@given(platforms, calls)
def test_nothing_is_wasted_while_somebody_asks(till: Till, platform: tuple, calls: list) -> None:
    (capacity, weights), step, admitted = platform, 5_000, 0
    others = [(name, cost, times) for _, name, cost, times in calls if name in weights]
    till.forget()
    for tick in range(SECOND // step):
        till.now_us = LATER + tick * step
        if tick % 40 == 0 and others:
            name, cost, times = others[tick // 40 % len(others)]
            admitted += sum(cost for drawn in till.ask_all([bill_of(name, capacity, weights, cost)] * times) if drawn.is_admitted)
        while got := sum(one.is_admitted for one in till.ask_all([bill_of(min(weights), capacity, weights)] * 20)):
            admitted += got
    assert admitted >= capacity * (1 - step / SECOND) - 2


def test_the_limits_are_asked_first_and_a_refusal_by_the_platform_spends_none_of_them(till: Till) -> None:
    weights = {"a": 1, "b": 1}
    limits = Limits(100, 3, 1_000)
    bill = Bill(IDS["a"], limits, capacity=2, weights=2)
    assert [till.ask(bill).refused_by for _ in range(4)] == ["", "", "", "rate"], "one its own, two lent"
    till.now_us += 100_000
    refused = [till.ask(bill) for _ in range(9)][-1]
    assert (refused.refused_by, refused.code) == ("platform", Code.RATE_LIMITED)
    decision = refused.decision
    assert decision.tightest is not None
    assert decision.tightest.name == "platform"
    assert 0 < (decision.retry_after_us or 0) <= SECOND
    after = till.ask(Bill(IDS["a"], limits, cost=0)).decision
    assert after.standings == decision.standings[:-1]
    assert till.ask(bill_of("b", 2, weights)).is_admitted, "the other still has its own"


def test_a_lease_is_charged_to_the_platform_and_takes_no_more_of_the_surplus_than_a_loud_borrower_may(till: Till) -> None:
    weights = {"a": 1, "b": 9}
    first = till.ask(bill_of("a", 1_000, weights, extra=500))
    assert (first.is_admitted, first.extra) == (True, 99), "what its own bucket has, and nothing lent"
    borrowed = till.ask(bill_of("a", 1_000, weights, extra=500))
    assert (borrowed.is_admitted, borrowed.extra) == (True, 24), "down to half of the surplus of fifty"
    assert till.ask(bill_of("a", 1_000, weights, extra=500)).extra == 0
    assert till.ask(bill_of("b", 1_000, weights, cost=900)).is_admitted


def test_without_a_sum_of_weights_the_platform_is_not_asked(till: Till) -> None:
    limits = Limits(1_000, 1_000, 1_000)
    bill = Bill(IDS["a"], limits, capacity=1)
    assert all(till.ask(bill).is_admitted for _ in range(50))
    till.client.set("edge:sum", 4)
    till.client.set(WEIGHTS, "edge:sum")
    assert [till.ask(bill).refused_by for _ in range(6)][-1] == "platform"


def test_many_doors_share_one_capacity(till: Till, redis_url: str) -> None:
    weights, seen = {"a": 1, "b": 1}, []

    def hammer(name: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            one = Till(client)
            for _ in range(20):
                seen.extend(one.ask_all([bill_of(name, 500, weights)] * 20))

    threads = [threading.Thread(target=hammer, args=(name,)) for name in "aabbaabb"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    admitted = [drawn.now_us for drawn in seen if drawn.is_admitted]
    assert len(seen) == 3_200
    most = Sharing(500, weights).burst + 500 * (max(admitted) - min(admitted)) / SECOND
    assert 500 <= len(admitted) <= most + 1


def test_what_is_kept_of_a_tenant_goes_when_its_bucket_is_full_and_it_no_longer_borrows(till: Till) -> None:
    till.now_us = None
    weights = {"a": 1, "b": 3}
    for _ in range(3):
        till.ask(bill_of("a", 4, weights))
    assert 0 < till.client.pttl(spending.BUCKET + spending.place_of(IDS["a"])) <= 2_001
    names = set(till.client.keys("edge:*")) - {spending.SPENT + spending.place_of(IDS["a"])}
    fixed = {name.encode() for name in (PLATFORM_STATE, FILLING, BORROWING)}
    assert names == {spending.BUCKET + spending.place_of(IDS["a"]), *fixed}


def test_many_buckets_that_have_become_full_are_cleared_in_parts_and_nothing_more_is_lent_for_it(till: Till) -> None:
    crowd = {new_id(TENANT): 1 for _ in range(400)}
    sharing, limits = Sharing(4_000, {**crowd, "a": 1}), Limits(1_000_000, 2**31 - 1, 2**53 - 1)
    bills = {name: Bill(IDS.get(name, name), limits, capacity=4_000, weights=401) for name in (*crowd, "a")}
    assert till.now_us is not None
    now = till.now_us

    def flood() -> tuple[int, int]:
        till.now_us = now
        scripted = sum(drawn.is_admitted for drawn in till.ask_all([bills["a"]] * 300))
        return scripted, sum(sharing.ask("a", now).is_admitted for _ in range(300))

    flood()
    for name in crowd:
        till.ask(bills[name])
        sharing.ask(name, now)
    now += 150_000
    scripted, pure = flood()
    assert pure // 2 <= scripted <= pure, "a part of what has run over is not counted"
    now += 2 * SECOND
    scripted, pure = flood()
    assert scripted == pure
    assert till.client.zcard(FILLING) == 1


def test_a_capacity_or_weights_that_change_lend_at_most_what_the_buckets_hold(till: Till) -> None:
    before, after, admitted = {"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 8}, 0
    assert till.now_us is not None
    for _ in range(2):
        for name in before:
            till.ask_all([bill_of(name, 1_000, before)] * 600)
    for _ in range(200):
        till.now_us += 10_000
        admitted += sum(drawn.is_admitted for name in before for drawn in till.ask_all([bill_of(name, 100, after)] * 20))
    depths = 2 * 10 + 5  # of the new capacity: both buckets and the surplus
    assert 190 <= admitted <= 200 + depths
