"""The planner is pure: what should be there and what is recorded give the steps."""

from __future__ import annotations

import pytest

from provisioning import plan as planning
from provisioning.plan import ENSURE, REMOVE, RETAIN, Entry, plan
from provisioning.resources.base import Desired, fingerprint_of
from tests.provisioning.fakes import FakeKind, World


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    rows = [
        FakeKind(world, "pool"),
        FakeKind(world, "client", DEPENDS_ON=("pool",)),
        FakeKind(world, "person", DEPENDS_ON=("client",)),
        FakeKind(world, "store", HOLDS_DATA=True),
    ]
    monkeypatch.setattr(planning, "KINDS", {row.KIND: row for row in rows})


def want(kind: str, **spec: object) -> Desired:
    return Desired(kind, "own", spec)


def have(kind: str, state: str = "present", **spec: object) -> Entry:
    return Entry(kind, "own", state, fingerprint_of(spec), spec)


def shown(steps: tuple[planning.PlannedStep, ...]) -> list[tuple[str, str]]:
    return [(step.action, step.kind) for step in steps]


WHOLE = (want("pool"), want("client"), want("person"), want("store"))


def test_nothing_recorded_means_everything_is_made_in_order() -> None:
    assert shown(plan(WHOLE, ())) == [(ENSURE, "pool"), (ENSURE, "client"), (ENSURE, "person"), (ENSURE, "store")]


def test_a_converged_tenant_has_an_empty_plan() -> None:
    assert plan(WHOLE, [have(kind) for kind in ("pool", "client", "person", "store")]) == ()


def test_a_changed_spec_is_ensured_and_its_dependents_are_left_alone() -> None:
    ledger = [have("pool", colour="old"), have("client"), have("person"), have("store")]
    assert shown(plan((want("pool", colour="new"), *WHOLE[1:]), ledger)) == [(ENSURE, "pool")]


@pytest.mark.parametrize("state", ["intended", "drifted", "absent", "removing"])
def test_what_is_not_present_is_made_anew_and_so_is_all_that_stands_on_it(state: str) -> None:
    ledger = [have("pool", state), have("client"), have("person"), have("store")]
    assert shown(plan(WHOLE, ledger)) == [(ENSURE, "pool"), (ENSURE, "client"), (ENSURE, "person")]


def test_surplus_is_removed_in_reverse_and_data_is_retained() -> None:
    ledger = [have(kind) for kind in ("pool", "client", "person", "store")]
    assert shown(plan((), ledger)) == [(RETAIN, "store"), (REMOVE, "person"), (REMOVE, "client"), (REMOVE, "pool")]


def test_offboarding_removes_data_and_what_was_retained_or_half_made() -> None:
    ledger = [have("pool"), have("client", "intended"), have("person", "absent"), have("store", "retained")]
    assert shown(plan((), ledger, destroy=True)) == [(REMOVE, "store"), (REMOVE, "client"), (REMOVE, "pool")]


def test_what_was_retained_is_left_alone_by_a_second_move_and_taken_up_when_wanted_again() -> None:
    assert plan((), [have("store", "retained")]) == ()
    assert shown(plan((want("store"),), [have("store", "retained")])) == [(ENSURE, "store")]


def test_a_repair_reads_everything_back() -> None:
    ledger = [have(kind) for kind in ("pool", "client", "person", "store")]
    assert [kind for _, kind in shown(plan(WHOLE, ledger, check_all=True))] == ["pool", "client", "person", "store"]


def test_the_release_that_wrote_a_resource_does_not_count_as_a_difference() -> None:
    tags = {"controlplane:release": "1", "controlplane:tenant": "t"}
    assert fingerprint_of({"tags": tags}) == fingerprint_of({"tags": {**tags, "controlplane:release": "2"}})
    assert fingerprint_of({"tags": tags}) != fingerprint_of({"tags": {**tags, "controlplane:tenant": "u"}})
    newer = {**tags, "controlplane:release": "2"}
    assert fingerprint_of({"parts": [{"tags": tags}]}) == fingerprint_of({"parts": [{"tags": newer}]})
