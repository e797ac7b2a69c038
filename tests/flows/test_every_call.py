"""For every kind of operation, every call to AWS in its turn: the worker dies before it and after it; AWS throttles, loses the answer, denies.

Each story makes up to some hundred tenants, so each gets an empty stand-in: the stand-in slows down as it fills, and from a thousand KMS keys
on it cuts its list of them without saying where to go on, which the product takes for an error, as it should.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from core.aws.session import forget_credentials
from tenants.models import Cell
from tests import faults
from tests.faults import Crash
from tests.flows.eyes import Eyes
from tests.flows.scenarios import SCENARIOS
from tests.flows.surviving import calls_of, ending_of, survive
from tests.services import REGION, StandIn

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.fixture(scope="module")
def own_standin() -> Iterator[StandIn]:
    """A stand-in of this module's, so that the one that other tests share keeps its state."""
    standin = StandIn()
    yield standin
    standin.stop()


@pytest.fixture
def standin(own_standin: StandIn, settings: Any) -> StandIn:
    """The module's stand-in, emptied, and the product pointed at it."""
    own_standin.kill()
    own_standin.start()
    settings.AWS_ENDPOINT_URL = own_standin.endpoint_url
    return own_standin


@pytest.fixture
def footing(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Footing]:
    """User and role made anew there; the process works as that user until the end of the test."""
    from controlplane.embedded.bootstrap import prepare  # reads Django's models by way of the policies

    made = prepare(standin.endpoint_url, REGION, {})
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", made.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", made.secret_access_key)
        forget_credentials()
        yield made
    forget_credentials()


@pytest.fixture
def eyes(standin: StandIn) -> Eyes:
    """Independent eyes on it."""
    return Eyes(standin.endpoint_url)


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
        survive(operation, number=number, when="after" if error == "lost" else "before", error=error)
        assert ending_of(operation, eyes) == expected, f"{error} at call {number}, {call}"
