"""Sharing what is in flight: never too many, the guarantee within a window, and idle slots in use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.limits.fairness import Granted
from tenants.limits.slots import LENT_US, STEP_US, Slots

SECOND = 1_000_000
WINDOW = SECOND
NAMES = "abcd"

platforms = st.tuples(st.integers(1, 12), st.dictionaries(st.sampled_from(NAMES), st.integers(1, 5), min_size=1, max_size=4))
gaps = st.sampled_from([0, 1, 1_000, 300_000, 999_999, SECOND, -5_000])
steps = st.lists(
    st.tuples(gaps, st.sampled_from(NAMES), st.integers(1, 4), st.booleans(), st.booleans()),
    min_size=1,
    max_size=60,
)


class Watch:
    """When each tenant's present stretch of asking began, and what it holds, kept apart from the product's own books."""

    def __init__(self, weights: dict[str, int]) -> None:
        self.since: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.own: dict[str, dict[str, int]] = {name: {} for name in weights}

    def asks(self, name: str, at: int) -> None:
        if name not in self.last or at - self.last[name] > WINDOW:
            self.since[name] = at
        self.last[name] = at
        self.renews(name, "", at)

    def renews(self, name: str, lease: str, at: int) -> None:
        self.own[name] = {one: ends for one, ends in self.own[name].items() if ends > at and one != lease}


@given(platforms, steps, st.sampled_from([WINDOW // 2, WINDOW, 5 * WINDOW]))
def test_slots_never_exceed_the_capacity_and_the_guarantee_stands_after_a_window(
    platform: tuple[int, dict[str, int]], steps: list, lease_us: int
) -> None:
    capacity, weights = platform
    slots, watch = Slots(capacity, weights, lease_us=lease_us, window_us=WINDOW), Watch(weights)
    now, forward, number = SECOND, 0, 0
    held: dict[tuple[str, str], int] = {}
    for gap, name, times, returns, renews in steps:
        now, forward = now + gap, forward + max(0, gap)
        if name not in weights:
            continue
        for turn in range(times):
            held = {one: ends for one, ends in held.items() if ends > forward}
            mine = [lease for tenant, lease in held if tenant == name]
            if renews and turn < len(mine):
                lease = mine[turn]
                grant = slots.ask(name, now, lease)
                assert grant.is_admitted, "what is held is kept"
                watch.renews(name, lease, forward)
            else:
                number += 1
                lease = f"lease-{number}"
                watch.asks(name, forward)
                grant = slots.ask(name, now, lease)
                if forward - watch.since[name] >= WINDOW and len(watch.own[name]) < slots.guarantee(name):
                    assert grant.granted is Granted.OWN
            if grant.is_admitted:
                ends = slots.held()[name, lease][1] - SECOND
                assert ends <= forward + (lease_us if grant.granted is Granted.OWN else min(lease_us, WINDOW))
                assert ends >= held.get((name, lease), 0)
                held[name, lease] = ends
            assert len(held) == slots.taken <= capacity
            if grant.granted is Granted.OWN:
                watch.own[name][lease] = held[name, lease]
        if returns and held:
            gone = next(iter(held))
            slots.give_back(*gone)
            slots.give_back(*gone)
            del held[gone]
            watch.own[gone[0]].pop(gone[1], None)


@given(platforms)
def test_whoever_is_alone_has_all_of_it(platform: tuple[int, dict[str, int]]) -> None:
    capacity, weights = platform
    slots = Slots(capacity, weights, lease_us=5 * SECOND)
    grants = [slots.ask(min(weights), SECOND, f"lease-{number}") for number in range(capacity + 1)]
    assert [grant.is_admitted for grant in grants] == [True] * capacity + [False]


def test_a_flood_gives_back_within_one_window() -> None:
    slots, number = Slots(10, {"flood": 1, "owner": 4}, lease_us=60 * SECOND), 0

    def flood(now: int) -> None:
        nonlocal number
        for _ in range(20):
            number += 1
            slots.ask("flood", now, f"flood-{number}")

    flood(0)
    assert slots.taken == 10
    assert not slots.ask("owner", 1, "early").is_admitted
    for tick in range(1, 11):
        flood(tick * WINDOW // 10)
        slots.ask("owner", tick * WINDOW // 10, f"again-{tick}")
    for slot in range(8):
        slots.ask("owner", WINDOW + 1, f"owner-{slot}")
    owners = [tenant for tenant, _ in slots.held()].count("owner")
    assert owners == 8


def test_the_last_slot_is_kept_for_whoever_has_been_asking_longest() -> None:
    slots = Slots(4, {"a": 3, "b": 3, "c": 2}, lease_us=60 * SECOND)
    assert [slots.guarantee(name) for name in "abc"] == [1, 1, 1]
    slots.ask("a", 0, "a-1")
    slots.give_back("a", "a-1")
    borrower = [slots.ask("c", 100_000, f"c-{number}").granted for number in range(4)]
    assert borrower == [Granted.OWN, Granted.BORROWED, Granted.BORROWED, Granted.REFUSED], "a is asking, and its slot is not lent"
    assert not slots.ask("b", 200_000, "b-1").is_admitted, "b came later than a"
    assert slots.ask("a", 500_000, "a-2").granted is Granted.OWN


def test_two_borrowers_share_by_weight_within_a_window() -> None:
    slots, number = Slots(40, {"a": 1, "b": 3, "idle": 16}, lease_us=60 * SECOND), 0
    for tick in range(60):
        for name in "ab":
            for _ in range(40):
                number += 1
                slots.ask(name, tick * WINDOW // 10, f"{name}-{number}")
    held = [tenant for tenant, _ in slots.held()]
    assert held.count("a") + held.count("b") == 40
    assert held.count("b") / held.count("a") == pytest.approx(3, rel=0.2)


def test_a_lease_that_is_asked_again_keeps_its_slot_and_what_was_lent_is_not_kept_from_its_owner() -> None:
    slots = Slots(2, {"a": 1, "b": 1}, lease_us=60 * SECOND)
    assert [slots.ask("a", 0, lease).granted for lease in ("one", "two")] == [Granted.OWN, Granted.BORROWED]
    assert slots.ask("a", 900_000, "two").granted is Granted.BORROWED
    assert slots.held()["a", "two"] == (True, 900_000 + LENT_US), "nobody else wants it"
    assert not slots.ask("b", SECOND, "its").is_admitted
    assert slots.ask("a", 1_500_000, "two").is_admitted
    assert slots.held()["a", "two"] == (True, 900_000 + LENT_US), "it is owed to b, and is not prolonged"
    slots.give_back("a", "one")
    assert slots.ask("a", 1_600_000, "two").granted is Granted.OWN, "it became the tenant's own"
    assert slots.held()["a", "two"] == (False, 61_600_000)
    assert slots.ask("b", 1_700_000, "its").granted is Granted.OWN
    assert slots.taken == 2


def test_who_came_last_in_a_step_has_its_slot_in_a_window_too() -> None:
    slots = Slots(3, {"a": 1, "b": 1, "c": 1}, lease_us=60 * SECOND)
    slots.ask("a", 0, "early")
    slots.give_back("a", "early")
    for number in range(2):
        slots.ask("c", 10, f"c-{number}")
    assert slots.taken == 2, "one its own, one lent, one owed to a"
    assert not slots.ask("b", STEP_US - 1, "first").is_admitted
    assert slots.ask("a", WINDOW, "a").granted is Granted.OWN
    assert slots.ask("b", WINDOW, "b").granted is Granted.OWN


def test_strangers_have_none() -> None:
    slots = Slots(2, {"a": 1}, lease_us=SECOND)
    with pytest.raises(KeyError):
        slots.ask("stranger", 0, "two")
    with pytest.raises(ValueError, match="positive"):
        Slots(0, {}, lease_us=1)
