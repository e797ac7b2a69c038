"""The cast behind the API's door: acme (pool, active), globex (silo, active), initech (pool, suspended), and callers of several kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tenants.models import Cell, Tenant, Tier
    from tests.controlplane.api.machine import Machine


@pytest.fixture
def cell(db: None) -> Cell:
    from tenants.models import Cell

    return Cell.objects.create(
        code="dev-1",
        environment="dev",
        region="eu-central-1",
        account_id="000000000000",
        quotas={"user_pools": 1000, "roles": 1000},
        state="ready",
    )


@pytest.fixture
def tiers(db: None) -> dict[str, Tier]:
    from tenants.models import Tier
    from tenants.seed import seed_tiers

    seed_tiers()
    return {tier.code: tier for tier in Tier.objects.all()}


@pytest.fixture
def make_tenant(cell: Cell, tiers: dict[str, Tier]) -> Callable[..., Tenant]:
    from django.utils import timezone

    from tenants.models import Tenant
    from tenants.slugs import skeleton_of

    def make(slug: str, tier: str = "basic", state: str = "active", **more: Any) -> Tenant:
        return Tenant.objects.create(
            slug=slug,
            skeleton=skeleton_of(slug),
            name=slug.title(),
            tier=tiers[tier],
            cell=cell,
            admin_email=f"admin@{slug}.example",
            state=state,
            state_changed_at=timezone.now(),
            **more,
        )

    return make


@pytest.fixture
def acme(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def globex(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant("globex", "premium")


@pytest.fixture
def initech(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant("initech", state="suspended")


@pytest.fixture
def machine(db: None) -> Callable[..., Machine]:
    """Give a function that makes a caller with these scopes."""

    from controlplane.api.scopes import Scope
    from controlplane.api.services import issue_token
    from core.actors import system
    from tests.controlplane.api.machine import Machine

    def make(*scopes: str, lifetime: timedelta = timedelta(days=30), label: str = "crm") -> Machine:
        issued = issue_token(
            actor=system("tests"), label=label, scopes=[Scope(scope) for scope in scopes] or list(Scope), lifetime=lifetime
        )
        return Machine(issued.text, issued.row)

    return make


@pytest.fixture
def api(machine: Callable[..., Machine]) -> Machine:
    """A caller who may do everything."""
    return machine()


@pytest.fixture
def stranger() -> Machine:
    """A caller without credentials."""
    from tests.controlplane.api.machine import Machine

    return Machine()
