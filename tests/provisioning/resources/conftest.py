"""A world for each test, in the stand-in that all share."""

from __future__ import annotations

import pytest

from tests.provisioning.resources.world import World
from tests.services import StandIn


@pytest.fixture
def world(standin: StandIn) -> World:
    """A cell of the test's own, with nothing made in it yet."""
    return World(standin.endpoint_url, standin.account_id)


@pytest.fixture(scope="module")
def town(standin: StandIn) -> World:
    """A cell with everything in it, shared by the tests of a module: each leaves what it shares as it found it."""
    made = World(standin.endpoint_url, standin.account_id)
    made.prepare()
    return made
