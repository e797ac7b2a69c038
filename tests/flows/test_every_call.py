"""For every kind of operation, every call to AWS in its turn: the worker dies before it and after it; AWS throttles, loses the answer, denies.

Each story makes up to some hundred tenants, so each gets an empty stand-in: the stand-in slows down as it fills, and from a thousand KMS keys
on it cuts its list of them without saying where to go on, which the product takes for an error, as it should.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.models import Cell
from tests import faults
from tests.faults import Crash
from tests.flows.eyes import Eyes
from tests.flows.scenarios import SCENARIOS
from tests.flows.surviving import calls_of, ending_of, survive
from tests.services import StandIn, stand_on

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.fixture
def footing(standin: StandIn) -> Footing:
    """User and role, made anew in the emptied stand-in; the process now works as that user."""
    standin.empty()
    return stand_on(standin)


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_death_at_every_call_changes_nothing_about_the_end(cell: Cell, eyes: Eyes, name: str) -> None:
    scenario = SCENARIOS[name]
    order, _, expected = calls_of(scenario, eyes)
    for number, call in enumerate(order, start=1):
        for when in ("before", "after"):
            operation = scenario.begin()
            survive(operation, number=number, when=when, error=Crash)
            assert ending_of(operation, eyes) == expected, f"{when} call {number}, {call}"


@pytest.mark.parametrize("error", ["throttle", "lost", "denied"])
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_throttling_lost_answers_and_denials_at_every_call_are_survived(
    cell: Cell, eyes: Eyes, name: str, error: faults.Named
) -> None:
    scenario = SCENARIOS[name]
    order, _, expected = calls_of(scenario, eyes)
    for number, call in enumerate(order, start=1):
        operation = scenario.begin()
        again = scenario.act if scenario.name.startswith(("connect", "reconnect")) else None
        survive(operation, number=number, when="after" if error == "lost" else "before", error=error, again=again)
        assert ending_of(operation, eyes) == expected, f"{error} at call {number}, {call}"
