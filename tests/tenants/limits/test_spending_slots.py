"""The platform's requests in flight, shared in Redis: the answers and the slots of the pure sharing, and its promises, with many doors at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import KEY, TENANT, new_id
from tenants.keys.codes import Code
from tenants.limits.bills import ASKING, HOLDERS, LENT_SLOTS, OWN_SLOTS, REFUSED, SLOTS_STATE, Bill, place_of
from tenants.limits.effective import LEASE_SECONDS, Limits
from tenants.limits.fairness import WINDOW_US, Sharing
from tenants.limits.headers import headers_of
from tenants.limits.judgement import Standing
from tenants.limits.projection import WEIGHTS
from tenants.limits.slots import LENT_US, STEP_US, Slots
from tests.tenants.limits.till import LATER, Till

SECOND = 1_000_000
LEASE_US = LEASE_SECONDS * SECOND
NAMES = "abcde"
IDS = {name: new_id(TENANT) for name in NAMES}
PLACES = {place_of(tenant_id): name for name, tenant_id in IDS.items()}
AMPLE = Limits(1_000_000, 2**31 - 1, 2**53 - 1)
ours = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)

platforms = st.tuples(st.integers(1, 12), st.dictionaries(st.sampled_from(NAMES), st.integers(1, 5), min_size=1, max_size=5))
gaps = st.sampled_from([0, 0, 1, 1_000, STEP_US, 300_000, LENT_US, SECOND - 1, SECOND, SECOND + 1, -50_000, 20 * SECOND, LEASE_US])
acts = st.sampled_from(["ask", "ask", "ask", "renew", "give back"])
steps = st.lists(st.tuples(gaps, st.sampled_from(NAMES), st.integers(1, 6), acts), min_size=1, max_size=40)


@pytest.fixture
def till(clean_redis: redis.Redis) -> Iterator[Till]:
    return Till(clean_redis, LATER)


def bill_of(name: str, capacity: int, weights: dict[str, int], lease_id: str) -> Bill:
    """Without any limit but the platform's."""
    limits = replace(AMPLE, weight=weights[name])
    return Bill(IDS[name], limits, lease_id=lease_id, weights=sum(weights.values()), slots=capacity)


def in_redis(till: Till, at: int) -> dict[tuple[str, str], tuple[bool, int]]:
    """The slots that Redis holds: by tenant and lease whether it is borrowed, and when it ends."""
    return {
        (PLACES[member[:16]], member[16:].decode()): (held == LENT_SLOTS, int(ends))
        for held in (OWN_SLOTS, LENT_SLOTS)
        for member, ends in till.client.zrange(held, 0, -1, withscores=True)
        if ends > at
    }


class Both:
    """The pure platform and the one in Redis, asked alike and compared each time."""

    def __init__(self, till: Till, capacity: int, weights: dict[str, int]) -> None:
        self.till, self.capacity, self.weights = till, capacity, weights
        self.pure, self.at, self.number = Slots(capacity, weights, lease_us=LEASE_US), LATER, 0
        till.forget()
        till.now_us = LATER

    def pass_time(self, gap: int) -> None:
        assert self.till.now_us is not None
        self.till.now_us += gap

    def ask(self, name: str, lease_id: str = "") -> bool:
        self.number += not lease_id
        lease_id, now = lease_id or f"lease-{self.number}", self.till.now_us or 0
        grant = self.pure.ask(name, now, lease_id)
        drawn = self.till.ask(bill_of(name, self.capacity, self.weights, lease_id))
        assert drawn.is_admitted == grant.is_admitted
        assert drawn.refused_by == ("" if grant.is_admitted else "platform-concurrency")
        assert drawn.retry_after_us == grant.retry_after_us
        assert in_redis(self.till, self.pure._now) == self.pure.held()
        return grant.is_admitted

    def give_back(self, name: str, lease_id: str) -> None:
        self.pure.give_back(name, lease_id)
        self.till.give_back(IDS[name], "", lease_id)


@ours
@given(platforms, steps)
def test_the_answers_and_the_slots_are_the_pure_ones(till: Till, platform: tuple, steps: list) -> None:
    both = Both(till, *platform)
    for gap, name, times, act in steps:
        both.pass_time(gap)
        if name not in both.weights:
            continue
        for turn in range(times):
            mine = [lease for tenant, lease in both.pure.held() if tenant == name]
            if act == "ask":
                both.ask(name)
            elif act == "renew" and turn < len(mine):
                both.ask(name, mine[turn])
            elif act == "give back" and mine:
                both.give_back(name, mine[0])


@pytest.mark.parametrize("seed", range(3))
def test_and_so_they_are_in_traffic_that_keeps_the_platform_full(till: Till, seed: int) -> None:
    chance, weights = random.Random(seed), {"a": 1, "b": 2, "c": 4, "d": 8, "e": 1}
    both, admitted = Both(till, chance.choice([6, 20, 50]), weights), 0
    for _ in range(1_200):
        both.pass_time(int(chance.expovariate(2 * both.capacity) * SECOND))
        held = list(both.pure.held())
        if held and chance.random() < 0.3:
            both.give_back(*chance.choice(held))
        elif held and chance.random() < 0.1:
            both.ask(*chance.choice(held))
        else:
            admitted += both.ask(chance.choices(NAMES, (9, 3, 3, 1, 1))[0])
    assert 200 < admitted < 800, "some were refused, as there was too little"


def test_the_refusal_says_what_is_guaranteed_and_spends_nothing_of_any_limit(till: Till) -> None:
    limits = Limits(100, 5, 1_000, concurrency=9)
    bill = Bill(IDS["a"], limits, new_id(KEY), weights=4, slots=4, lease_id="r1")
    assert [till.ask(replace(bill, lease_id=f"r{number}")).refused_by for number in range(5)] == [""] * 4 + ["platform-concurrency"]
    refused = till.ask(replace(bill, lease_id="one more"))
    assert (refused.code, refused.retry_after_us, refused.extra) == (Code.RATE_LIMITED, WINDOW_US, 0)
    assert refused.decision.tightest == Standing("platform-concurrency", 1, 0, 0, WINDOW_US, "concurrent-requests")
    policy = dict(headers_of(refused.decision))
    assert policy["RateLimit-Policy"].endswith('"platform-concurrency";q=1;qu="concurrent-requests"')
    assert policy["Retry-After"] == "1"
    left = {one.name: one.remaining for one in till.ask(replace(bill, cost=0)).decision.standings}
    assert left == {"rate": 1, "quota-day": 996, "concurrency": 5}
    assert till.ask(replace(bill, lease_id="")).is_admitted, "only requests in flight are asked for a slot"


def test_both_of_the_platforms_are_charged_or_neither(till: Till) -> None:
    weights, sharing = {"a": 1, "b": 1}, Sharing(6, {"a": 1, "b": 1})
    bill = replace(bill_of("a", 2, weights, "r0"), capacity=6)
    assert till.ask(bill).is_admitted
    sharing.ask("a", LATER)
    assert till.ask(replace(bill, lease_id="r1")).is_admitted, "a lent one"
    sharing.ask("a", LATER)
    for number in range(20):
        drawn = till.ask(replace(bill, lease_id=f"r{number + 2}", extra=2))
        assert (drawn.refused_by, drawn.extra) == ("platform-concurrency", 0)
    till.give_back(IDS["a"], "", "r0")
    till.give_back(IDS["a"], "", "r1")
    rates = [till.ask(replace(bill, lease_id="")).is_admitted for _ in range(8)]
    assert rates == [sharing.ask("a", LATER).is_admitted for _ in range(8)]
    refused = till.ask(replace(bill, lease_id="no room in a second"))
    assert (refused.refused_by, in_redis(till, LATER)) == ("platform", {}), "given back, and not taken again"
    assert till.ask(replace(bill_of("b", 2, weights, "its"), capacity=6)).is_admitted


def test_a_limit_of_the_tenants_own_is_asked_first_and_takes_no_slot(till: Till) -> None:
    bill = Bill(IDS["a"], Limits(100, 100, 1_000, concurrency=1), weights=1, slots=4, lease_id="r1")
    assert [till.ask(replace(bill, lease_id=f"r{number}")).refused_by for number in range(3)] == ["", "concurrency", "concurrency"]
    assert len(in_redis(till, LATER)) == 1


def test_two_tenants_may_use_the_same_id_and_an_end_is_told_once(till: Till) -> None:
    weights = {"a": 1, "b": 1}
    assert all(till.ask(bill_of(name, 2, weights, "one")).is_admitted for name in "ab")
    assert till.give_back(IDS["a"], "", "one") == 1
    assert till.give_back(IDS["a"], new_id(KEY), "one") == 0
    assert list(in_redis(till, LATER)) == [("b", "one")]
    assert till.ask(bill_of("a", 2, weights, "one")).is_admitted


def test_without_a_sum_of_weights_slots_are_not_shared(till: Till) -> None:
    bill = Bill(IDS["a"], AMPLE, slots=1)
    assert all(till.ask(replace(bill, lease_id=f"r{number}")).is_admitted for number in range(20))
    till.client.set("edge:sum", 4)
    till.client.set(WEIGHTS, "edge:sum")
    assert [till.ask(replace(bill, lease_id=f"s{number}")).refused_by for number in range(2)] == ["", "platform-concurrency"]


def test_many_slots_that_have_ended_are_cleared_in_parts_and_no_more_is_given_for_it(till: Till) -> None:
    capacity, crowd = 400, {new_id(TENANT): 1 for _ in range(400)}
    for lease_id in ("first", "second"):
        bills = [Bill(one, AMPLE, lease_id=lease_id, weights=400, slots=capacity) for one in crowd]
        assert all(drawn.is_admitted for drawn in till.ask_all(bills))
        drawn = till.ask(Bill(next(iter(crowd)), AMPLE, lease_id="too many", weights=400, slots=capacity))
        assert drawn.refused_by == "platform-concurrency"
        for one in crowd:
            assert till.give_back(one, "", lease_id) == 1
    assert till.client.zcount(OWN_SLOTS, 1, "+inf") == 0
    flood = [Bill(IDS["a"], AMPLE, lease_id=f"a{number}", weights=400, slots=capacity) for number in range(3 * capacity)]
    assert till.now_us is not None
    till.now_us += 2 * SECOND
    assert sum(drawn.is_admitted for drawn in till.ask_all(flood)) == capacity
    assert (till.client.zcard(OWN_SLOTS), till.client.zcard(LENT_SLOTS)) == (1, capacity - 1)


def test_nothing_is_kept_of_those_that_have_gone(till: Till) -> None:
    both = Both(till, 3, {"a": 1, "b": 1})
    for number in range(6):
        both.ask("ab"[number % 2])
    assert till.client.hlen(HOLDERS) == 2
    both.pass_time(2 * LEASE_US)
    till.ask(bill_of("c", 3, {"c": 1}, "later"))
    assert (till.client.hlen(HOLDERS), till.client.zcard(ASKING), till.client.zcard(REFUSED)) == (1, 1, 0)
    assert len(till.client.get(SLOTS_STATE) or b"") == 168


def test_weights_and_a_capacity_that_change_take_no_more_than_the_smaller_within_a_lease(till: Till) -> None:
    before, after = {"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 8}
    for number in range(10):
        for name in before:
            till.ask(bill_of(name, 20, before, f"{name}{number}"))
    assert len(in_redis(till, LATER)) == 20
    assert not till.ask(bill_of("c", 10, after, "early")).is_admitted
    for turn in range(1, 5):  # those that go on renew their leases
        till.now_us = LATER + turn * LEASE_US // 4
        for place, (name, lease) in enumerate(in_redis(till, till.now_us)):
            if place < 12:
                till.ask(bill_of(name, 10, after, lease))
        till.ask(bill_of("c", 10, after, f"c-{turn}"))
    till.now_us += SECOND
    till.ask(bill_of("c", 10, after, "last"))
    assert len(in_redis(till, till.now_us)) <= 10


def test_a_question_costs_the_same_beside_many_tenants(till: Till) -> None:
    crowd = [new_id(TENANT) for _ in range(300)]
    bills = [Bill(one, AMPLE, weights=301, slots=900, lease_id="r") for one in crowd]

    def commands(bill: Bill) -> int:
        before = sum(one["calls"] for one in till.client.info("commandstats").values())
        till.ask(bill)
        return int(sum(one["calls"] for one in till.client.info("commandstats").values()) - before)

    mine = Bill(IDS["a"], AMPLE, weights=301, slots=900, lease_id="first")
    alone = commands(mine)
    till.ask_all(bills)
    assert commands(replace(mine, lease_id="second")) <= alone + 1
    for number in range(600):
        till.ask(replace(mine, lease_id=f"more-{number}"))
    assert commands(replace(mine, lease_id="refused")) <= alone + 2


def test_many_doors_share_the_slots_by_redis_own_clock(till: Till, redis_url: str) -> None:
    capacity, weights = 12, {"a": 1, "b": 3, "c": 8}
    lives: list[tuple[int, int]] = []  # for sure in use: from when until when, by Redis' clock
    got = dict.fromkeys(weights, 0)
    until = time.monotonic() + 2.5

    def hammer(door: int, name: str) -> None:
        chance, number, now = random.Random(door), 0, 0
        mine: list[tuple[str, int]] = []
        with redis.Redis.from_url(redis_url) as client:
            one = Till(client)
            while time.monotonic() < until:
                if mine and chance.random() < (0.05 if name == "a" else 0.4):
                    lease, taken_at = mine.pop(0)
                    lives.append((taken_at, min(now, taken_at + LENT_US)))
                    one.give_back(IDS[name], "", lease)
                    continue
                number += 1
                drawn = one.ask(bill_of(name, capacity, weights, f"{door}-{number}"))
                now = drawn.now_us
                if drawn.is_admitted:
                    mine.append((f"{door}-{number}", now))
                    got[name] += 1
                time.sleep(0.002)
        lives.extend((taken_at, min(now, taken_at + LENT_US)) for _, taken_at in mine)

    with ThreadPoolExecutor(6) as doors:
        list(doors.map(hammer, range(6), "aaabbc"))
    assert min(got.values()) > 10, "whoever has slots of its own gets some beside the flood"
    moments = sorted([(start, 1) for start, end in lives if end > start] + [(end, -1) for start, end in lives if end > start])
    in_use = most = 0
    for _, change in moments:
        in_use += change
        most = max(most, in_use)
    assert capacity // 2 < most <= capacity


def test_an_owner_that_comes_into_a_flood_has_its_slots_within_a_window(till: Till, redis_url: str) -> None:
    capacity, weights, ending = 10, {"flood": 1, "owner": 4}, threading.Event()
    ids = {"flood": IDS["a"], "owner": IDS["b"]}

    def bill(name: str, lease_id: str) -> Bill:
        return Bill(ids[name], replace(AMPLE, weight=weights[name]), lease_id=lease_id, weights=5, slots=capacity)

    def flood(door: int) -> None:
        with redis.Redis.from_url(redis_url) as client:
            one, number = Till(client), 0
            while not ending.is_set():
                one.ask_all([bill("flood", f"{door}-{number}-{turn}") for turn in range(20)])
                number += 1
                time.sleep(0.005)

    threads = [threading.Thread(target=flood, args=(door,)) for door in range(3)]
    for thread in threads:
        thread.start()
    try:
        till.now_us = None
        time.sleep(0.3)
        first = till.ask(bill("owner", "first"))
        owned, number, now = int(first.is_admitted), 0, first.now_us
        while owned < 8 and now <= first.now_us + WINDOW_US + 100_000:
            drawn = till.ask(bill("owner", f"again-{number}"))
            owned, number, now = owned + drawn.is_admitted, number + 1, drawn.now_us
            assert drawn.is_admitted or now - first.now_us < WINDOW_US
            time.sleep(0.004)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert owned == 8
    assert now - first.now_us <= WINDOW_US + 100_000
