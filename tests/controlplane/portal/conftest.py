"""The cast at the portal: acme (pool) and globex (silo) with one member of each role. ``signed_in(member)`` gives a test client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tests.services import StandIn

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Member
    from tenants.models import Cell, Tenant


@pytest.fixture
def signed_in(db: None) -> Callable[[Member], Client]:
    """Give a function that signs a member in without Cognito."""
    from tests.controlplane.portal.people import signed_in

    return signed_in


@pytest.fixture
def cell(footing: Footing, standin: StandIn, db: None) -> Cell:
    """The embedded cell as a row: enough for keys, not for signing in."""
    from tests.tenants.keys.world import keyed_cell

    return keyed_cell(footing, standin)


@pytest.fixture
def acme(cell: Cell) -> Tenant:
    from tests.tenants.keys.world import new_tenant

    return new_tenant(cell, "acme")


@pytest.fixture
def globex(cell: Cell) -> Tenant:
    from tests.tenants.keys.world import new_tenant

    return new_tenant(cell, "globex", tier="premium")


@pytest.fixture
def owner(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "owner")


@pytest.fixture
def admin(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "admin")


@pytest.fixture
def developer(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "developer")


@pytest.fixture
def viewer(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "viewer")


@pytest.fixture
def stranger(globex: Tenant) -> Member:
    """An owner, of another tenant."""
    from tests.tenants.members.world import new_member

    return new_member(globex, "owner")
