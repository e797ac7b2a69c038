"""For every kind of operation: the worker dies before, after, and after the record of a call; AWS throttles, loses answers, denies.

The end must be the same as without the fault, with no second resource and nothing orphaned. ``make test`` breaks each step of
every kind of operation at its first changing call, for the isolation models where it differs most; ``make test-long`` does so for all of
them. Every single call is broken in ``test_every_call``.
"""

from __future__ import annotations

import pytest

from provisioning import engine
from tenants.models import Cell
from tests import faults
from tests.cast import finish, make_due
from tests.faults import Crash
from tests.flows.eyes import Eyes
from tests.flows.scenarios import SCENARIOS
from tests.flows.surviving import calls_of, dying_after_record, ending_of, survive

pytestmark = pytest.mark.django_db
SHORT = (
    *("onboard-pool", "onboard-bridge", "onboard-silo", "suspend-bridge", "resume-bridge", "offboard-pool", "undo-bridge"),
    *("repair-bridge", "pool-to-silo", "silo-to-pool", "deprovision-pool", "deprovision-bridge", "deprovision-silo"),
    *("connect-bridge", "reconnect-bridge", "disconnect-bridge", "deprovision-connected"),
)
EACH_STEP = [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in SCENARIOS]


@pytest.mark.parametrize("name", EACH_STEP)
def test_a_death_at_each_step_changes_nothing_about_the_end(cell: Cell, eyes: Eyes, name: str) -> None:
    scenario = SCENARIOS[name]
    order, firsts, expected = calls_of(scenario, eyes)
    for number in firsts:
        for when in ("before", "after"):
            operation = scenario.begin()
            survive(operation, number=number, when=when, error=Crash)
            assert ending_of(operation, eyes) == expected, f"{when} call {number}, {order[number - 1]}"


@pytest.mark.parametrize("name", ["onboard-pool", "onboard-bridge", "onboard-silo", "pool-to-silo", "deprovision-bridge"])
def test_a_death_after_each_record_changes_nothing_about_the_end(cell: Cell, eyes: Eyes, name: str) -> None:
    scenario = SCENARIOS[name]
    _, _, expected = calls_of(scenario, eyes)
    for kind in scenario.begin().steps.values_list("kind", flat=True):
        operation = scenario.begin()
        with dying_after_record(kind), pytest.raises(Crash):
            engine.run(operation.pk)
        make_due(operation)
        assert finish(operation).state == "succeeded"
        assert ending_of(operation, eyes) == expected, kind


@pytest.mark.parametrize("error", ["throttle", "lost", "denied"])
@pytest.mark.parametrize("name", ["onboard-pool", "onboard-bridge", "onboard-silo"])
def test_throttling_lost_answers_and_denials_at_each_step_are_survived(
    cell: Cell, eyes: Eyes, name: str, error: faults.Named
) -> None:
    scenario = SCENARIOS[name]
    order, firsts, expected = calls_of(scenario, eyes)
    for number in firsts:
        operation = scenario.begin()
        survive(operation, number=number, when="after" if error == "lost" else "before", error=error)
        assert ending_of(operation, eyes) == expected, f"{error} at call {number}, {order[number - 1]}"
