"""From whatever stages the store has to those that are wanted: one pass of calls leads there, and AWS accepts each of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.aws.secretsmanager import Secret
from core.ids import KEY_VERSION, new_id
from tenants.keys import staging
from tests.tenants.keys.aws_like_store import AwsLikeStore, Kept, Version

VERSIONS = ("a", "b", "c", "d", "e")
STAGES = (staging.CURRENT, staging.PREVIOUS, staging.PENDING)


@st.composite
def stores(draw: st.DrawFn) -> dict[str, str]:
    """The bearer of each stage, as AWS allows it: one version a stage, always a current one."""
    found = {staging.CURRENT: draw(st.sampled_from(VERSIONS))}
    for stage in (staging.PREVIOUS, staging.PENDING):
        bearer = draw(st.none() | st.sampled_from(VERSIONS))
        if bearer is not None and not (stage == staging.PREVIOUS and bearer == found[staging.CURRENT]):
            found[stage] = bearer
    return found


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, str]:
    """What rows may want: a current version, and others beside it, each of them another."""
    current, previous, pending = draw(st.permutations(VERSIONS))[:3]
    wanted = {staging.CURRENT: current}
    if draw(st.booleans()):
        wanted[staging.PREVIOUS] = previous
    if draw(st.booleans()):
        wanted[staging.PENDING] = pending
    return wanted


def store_with(bearers: Mapping[str, str]) -> AwsLikeStore:
    from django.utils import timezone

    store = AwsLikeStore()
    versions = {token: Version(f"text of {token}", timezone.now()) for token in VERSIONS}
    for stage, token in bearers.items():
        versions[token].stages.add(stage)
    store.secrets["secret"] = Kept({}, versions)
    return store


def carry_out(store: AwsLikeStore, moves: list[staging.Move]) -> None:
    for move in moves:
        if move.to:
            store.move_stage("secret", move.stage, to_version=move.to, from_version=move.off)
        else:
            store.remove_stage("secret", move.stage, from_version=move.off)
        assert store.current_text("secret"), "there is no moment without a current version"


def bearers_of(secret: Secret) -> dict[str, str]:
    return {stage: token for token, stages in secret.versions.items() for stage in stages}


@given(stores(), wishes())
def test_one_pass_leads_from_anywhere_to_what_is_wanted(found: dict[str, str], wanted: dict[str, str]) -> None:
    store = store_with(found)
    seen = store.get_secret("secret").versions
    assume(not staging.is_lost(seen, wanted))
    carry_out(store, staging.moves(seen, wanted))
    after = store.get_secret("secret")
    there = {stage: token for stage, token in wanted.items() if token in after.versions or stage == staging.CURRENT}
    reached = bearers_of(after)
    assert reached[staging.CURRENT] == wanted[staging.CURRENT]
    assert reached.get(staging.PREVIOUS) in (wanted.get(staging.PREVIOUS), None)
    assert reached.get(staging.PENDING) in (wanted.get(staging.PENDING), None)
    if staging.PREVIOUS in there and wanted[staging.PREVIOUS] in seen:
        assert reached[staging.PREVIOUS] == wanted[staging.PREVIOUS]
    assert staging.moves(after.versions, wanted) == [], "and then nothing is left to do"


@given(stores(), wishes(), st.integers(0, 6), st.data())
def test_a_death_after_any_call_leaves_a_way_on(
    found: dict[str, str], wanted: dict[str, str], number: int, data: st.DataObject
) -> None:
    store = store_with(found)
    seen = store.get_secret("secret").versions
    assume(not staging.is_lost(seen, wanted))
    carry_out(store, staging.moves(seen, wanted)[:number])
    halfway = store.get_secret("secret").versions
    assert not staging.is_lost(halfway, wanted), "what is to become current stays findable"
    carry_out(store, staging.moves(halfway, wanted))
    assert bearers_of(store.get_secret("secret"))[staging.CURRENT] == wanted[staging.CURRENT]


@given(stores(), wishes())
def test_the_switch_comes_first_and_awspending_goes_last(found: dict[str, str], wanted: dict[str, str]) -> None:
    moves = staging.moves(store_with(found).get_secret("secret").versions, wanted)
    order = [STAGES.index(move.stage) for move in moves]
    assert order == sorted(order)
    assert all(move.to for move in moves if move.stage == staging.CURRENT), "AWSCURRENT is moved in one call, never taken off"
    assert sum(move.stage == staging.CURRENT for move in moves) <= 1


@given(stores(), wishes())
def test_nothing_is_given_a_stage_that_is_not_wanted(found: dict[str, str], wanted: dict[str, str]) -> None:
    for move in staging.moves(store_with(found).get_secret("secret").versions, wanted):
        assert not move.to or wanted[move.stage] == move.to


def test_what_aws_refuses_the_pretended_one_refuses_too() -> None:
    from core.aws.errors import AwsError

    store = store_with({staging.CURRENT: "a", staging.PENDING: "b"})
    with pytest.raises(AwsError):
        store.move_stage("secret", staging.CURRENT, to_version="b", from_version="c")
    with pytest.raises(AwsError):
        store.remove_stage("secret", staging.CURRENT, from_version="a")
    with pytest.raises(AwsError):
        store.put_value("secret", "another", token="a", stages=(staging.PENDING,))
    store.put_value("secret", "text of a", token="a", stages=(staging.PENDING,))
    assert bearers_of(store.get_secret("secret"))[staging.PENDING] == "b", "a repetition does nothing"


def test_a_token_is_what_aws_takes_and_the_same_at_every_repetition() -> None:
    version_id = new_id(KEY_VERSION)
    assert 32 <= len(staging.token_of(version_id)) <= 64
    assert staging.token_of(version_id) == staging.token_of(version_id) != staging.token_of(new_id(KEY_VERSION))


def test_a_retired_version_wants_nothing() -> None:
    assert staging.wanted_stages([("kv_1", "retired")]) == {}
    wanted = staging.wanted_stages([("kv_1", "previous"), ("kv_2", "current"), ("kv_3", "pending")])
    assert wanted == {
        stage: f"key-version-kv_{number}" for number, stage in ((1, "AWSPREVIOUS"), (2, "AWSCURRENT"), (3, "AWSPENDING"))
    }
