"""A cell of six tenants, furnished once a module."""

from __future__ import annotations

import pytest

from tests.provisioning.isolation.world import World, furnish
from tests.services import StandIn


@pytest.fixture(scope="module")
def world(standin: StandIn) -> World:
    """Six tenants in the stand-in with vended credentials; tests change nothing that another one reads."""
    return furnish(standin.endpoint_url)
