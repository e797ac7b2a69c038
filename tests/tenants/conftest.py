"""Two of the cast as rows, and a key of the first; nothing here speaks to AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tenants.keys.models import ApiKey
    from tenants.models import Tenant


@pytest.fixture
def acme(db: None) -> Tenant:
    from tests.cast import ready_cell
    from tests.tenants.keys.world import new_tenant

    return new_tenant(ready_cell(), "acme")


@pytest.fixture
def globex(db: None) -> Tenant:
    from tests.cast import ready_cell
    from tests.tenants.keys.world import new_tenant

    return new_tenant(ready_cell(), "globex", tier="premium")


@pytest.fixture
def key(acme: Tenant) -> ApiKey:
    from tests.controlplane.console.made_up_keys import made_up_key

    return made_up_key(acme, "nightly export")
