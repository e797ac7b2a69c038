"""A prepared cell in the stand-in, for whole stories with real gateways and real rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from tests.flows.eyes import Eyes
from tests.services import REGION, StandIn

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tenants.models import Cell


@pytest.fixture
def cell(footing: Footing, standin: StandIn, db: None) -> Cell:
    """The embedded cell, everything that it shares read back."""
    from controlplane.embedded.bootstrap import CELL_CODE, ENVIRONMENT, PARTITION, STANDIN_CAPABILITIES  # models: Django first
    from provisioning.services import start_prepare_cell
    from tenants.seed import seed_cell, seed_tiers
    from tests.cast import OPERATOR, finish

    seed_tiers()
    cell = seed_cell(
        code=CELL_CODE,
        environment=ENVIRONMENT,
        partition=PARTITION,
        region=REGION,
        account_id=standin.account_id,
        role_arn=footing.role_arn,
        capabilities=asdict(STANDIN_CAPABILITIES),
    )
    operation = finish(start_prepare_cell(actor=OPERATOR, cell_code=cell.code, reason="tests"))
    assert operation.state == "succeeded", operation.error_detail
    cell.refresh_from_db()
    return cell


@pytest.fixture(scope="module")
def eyes(standin: StandIn) -> Eyes:
    """Independent eyes on the stand-in."""
    return Eyes(standin.endpoint_url)
