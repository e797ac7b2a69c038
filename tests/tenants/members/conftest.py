"""People of the two tenants, as rows; nothing here speaks to AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant


@pytest.fixture
def owner(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "owner")


@pytest.fixture
def admin(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "admin")


@pytest.fixture
def viewer(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "viewer")


@pytest.fixture
def stranger(globex: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(globex, "owner")
