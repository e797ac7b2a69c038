"""Slots come back: when they are returned, and when their holder has died."""

from __future__ import annotations

import pytest

from tenants.keys.codes import Code
from tenants.limits.concurrency import HINT_US, Concurrency, Lease, give_back
from tenants.limits.decision import decide

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
TWO = Concurrency("concurrency", 2, 30 * SECOND)


def test_a_slot_is_taken_given_back_and_taken_again() -> None:
    states = {}
    for lease_id in "ab":
        decision, states = decide([TWO], states, NOW, lease_id=lease_id)
        assert decision.is_admitted
    refused, states = decide([TWO], states, NOW, lease_id="c")
    assert (refused.code, refused.refused_by, refused.retry_after_us) == (Code.RATE_LIMITED, "concurrency", HINT_US)
    states = {"concurrency": give_back(give_back(states["concurrency"], "a"), "a")}
    assert decide([TWO], states, NOW, lease_id="c")[0].is_admitted


def test_the_slot_of_a_caller_who_crashed_comes_back_with_its_lease() -> None:
    _, states = decide([Concurrency("concurrency", 1, 30 * SECOND)], {}, NOW, lease_id="crashed")
    one = Concurrency("concurrency", 1, 30 * SECOND)
    refused, states = decide([one], states, NOW + 30 * SECOND - 1, lease_id="next")
    assert (refused.is_admitted, refused.retry_after_us) == (False, 1)
    decision, states = decide([one], states, NOW + 30 * SECOND, lease_id="next")
    assert decision.is_admitted
    assert [lease.id for lease in states["concurrency"]] == ["next"], "dead leases are not kept"


def test_asking_again_renews_and_takes_no_second_slot() -> None:
    states = {}
    for seconds in (0, 20, 40, 60):
        decision, states = decide([TWO], states, NOW + seconds * SECOND, lease_id="long")
        assert (decision.is_admitted, decision.standings[0].remaining) == (True, 1)
    assert states["concurrency"] == (Lease("long", NOW + 90 * SECOND),)


def test_fewer_slots_end_nobodys_request_and_let_none_in() -> None:
    _, states = decide([TWO], {}, NOW, lease_id="a")
    _, states = decide([TWO], states, NOW, lease_id="b")
    one = Concurrency("concurrency", 1, 30 * SECOND)
    assert not decide([one], states, NOW, lease_id="c")[0].is_admitted
    assert decide([one], states, NOW, lease_id="a")[0].is_admitted, "who is in may renew"
    states = {"concurrency": give_back(states["concurrency"], "a")}
    assert not decide([one], states, NOW, lease_id="c")[0].is_admitted


def test_a_clock_that_went_back_keeps_a_slot_for_one_lease_at_most() -> None:
    one = Concurrency("concurrency", 1, 30 * SECOND)
    _, states = decide([one], {}, NOW, lease_id="old")
    earlier = NOW - 86_400 * SECOND
    refused, states = decide([one], states, earlier, lease_id="next")
    assert not refused.is_admitted
    assert decide([one], states, earlier + 30 * SECOND, lease_id="next")[0].is_admitted


def test_no_slots_at_all_is_for_ever_and_a_look_takes_none() -> None:
    none = Concurrency("concurrency", 0, SECOND)
    assert decide([none], {}, NOW, lease_id="a")[0].retry_after_us is None
    looked, states = decide([TWO], {}, NOW, cost=0)
    assert (looked.is_admitted, states) == (True, {"concurrency": ()})


def test_a_request_in_flight_needs_a_name() -> None:
    with pytest.raises(ValueError, match="lease"):
        decide([TWO], {}, NOW)
