"""Sharing what is in flight: never too many, the guarantee within a window, and idle slots in use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.limits.fairness import Granted
from tenants.limits.slots import Slots

SECOND = 1_000_000
WINDOW = SECOND
NAMES = "abcd"

platforms = st.tuples(st.integers(1, 12), st.dictionaries(st.sampled_from(NAMES), st.integers(1, 5), min_size=1, max_size=4))
steps = st.lists(
    st.tuples(st.sampled_from([0, 1, 1_000, 300_000, 999_999, SECOND, -5_000]), st.sampled_from(NAMES), st.integers(1, 4), st.booleans()),
    min_size=1,
    max_size=60,
)  # fmt: skip


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
        self.own[name] = {lease: ends for lease, ends in self.own[name].items() if ends > at}


@given(platforms, steps, st.sampled_from([WINDOW // 2, WINDOW, 5 * WINDOW]))
def test_slots_never_exceed_the_capacity_and_the_guarantee_stands_after_a_window(
    platform: tuple[int, dict[str, int]], steps: list, lease_us: int
) -> None:
    capacity, weights = platform
    slots, watch = Slots(capacity, weights, lease_us=lease_us, window_us=WINDOW), Watch(weights)
    now, forward, number = SECOND, 0, 0
    held: dict[str, int] = {}
    for gap, name, times, returns in steps:
        now, forward = now + gap, forward + max(0, gap)
        if name not in weights:
            continue
        for _ in range(times):
            number += 1
            lease = f"lease-{number}"
            watch.asks(name, forward)
            grant = slots.ask(name, now, lease)
            held = {one: ends for one, ends in held.items() if ends > forward}
            if grant.is_admitted:
                held[lease] = forward + (lease_us if grant.granted is Granted.OWN else min(lease_us, WINDOW))
            assert len(held) == slots.taken <= capacity
            if forward - watch.since[name] >= WINDOW and len(watch.own[name]) < slots.guarantee(name):
                assert grant.granted is Granted.OWN
            if grant.granted is Granted.OWN:
                watch.own[name][lease] = held[lease]
        if returns and held:
            gone = next(iter(held))
            slots.give_back(gone)
            slots.give_back(gone)
            del held[gone]
            for own in watch.own.values():
                own.pop(gone, None)


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
    owners = [held.tenant for held in slots._held.values()].count("owner")
    assert owners == 8


def test_the_last_slot_is_kept_for_whoever_has_been_asking_longest() -> None:
    slots = Slots(4, {"a": 3, "b": 3, "c": 2}, lease_us=60 * SECOND)
    assert [slots.guarantee(name) for name in "abc"] == [1, 1, 1]
    slots.ask("a", 0, "a-1")
    slots.give_back("a-1")
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
    held = [one.tenant for one in slots._held.values()]
    assert held.count("a") + held.count("b") == 40
    assert held.count("b") / held.count("a") == pytest.approx(3, rel=0.2)


def test_a_lease_is_held_once_and_strangers_have_none() -> None:
    slots = Slots(2, {"a": 1}, lease_us=SECOND)
    slots.ask("a", 0, "one")
    with pytest.raises(ValueError, match="held already"):
        slots.ask("a", 0, "one")
    with pytest.raises(KeyError):
        slots.ask("stranger", 0, "two")
    with pytest.raises(ValueError, match="positive"):
        Slots(0, {}, lease_us=1)
