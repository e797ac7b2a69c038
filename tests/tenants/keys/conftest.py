"""A cell for tenants with keys, one tenant of each isolation model, and eyes on the store."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest
import time_machine

from tests.services import StandIn

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tenants.models import Cell, Tenant
    from tests.tenants.keys.world import StoreEyes


@pytest.fixture(autouse=True)
def aws_keeps_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests travel in time while requests to the stand-in stay signed with its own: AWS refuses a signature that is minutes off."""

    def now(remove_tzinfo: bool = True) -> datetime.datetime:
        travelling = time_machine.escape_hatch.is_travelling()
        real = time_machine.escape_hatch.datetime.datetime.now(datetime.UTC) if travelling else datetime.datetime.now(datetime.UTC)
        return real.replace(tzinfo=None) if remove_tzinfo else real

    monkeypatch.setattr("botocore.auth.get_current_datetime", now)
    monkeypatch.setattr("core.aws.credentials._now", lambda: now(remove_tzinfo=False))


@pytest.fixture
def cell(footing: Footing, standin: StandIn, db: None) -> Cell:
    from tests.tenants.keys.world import keyed_cell

    return keyed_cell(footing, standin)


@pytest.fixture
def acme(cell: Cell) -> Tenant:
    """A pooled tenant."""
    from tests.tenants.keys.world import new_tenant

    return new_tenant(cell, "acme")


@pytest.fixture
def globex(cell: Cell) -> Tenant:
    """A tenant in a silo, with a KMS key of its own."""
    from tests.tenants.keys.world import new_tenant

    return new_tenant(cell, "globex", tier="premium")


@pytest.fixture(scope="module")
def store_eyes(standin: StandIn) -> StoreEyes:
    from tests.tenants.keys.world import StoreEyes

    return StoreEyes(standin.endpoint_url)
