"""The cast of every story: acme (pool), globex (silo), initech (suspended), and the operator who looks after them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from core.actors import operator
from provisioning import engine
from provisioning.models import Operation
from provisioning.services import start_onboard
from tenants.models import Cell, Tenant
from tenants.seed import seed_cell, seed_tiers

OPERATOR = operator("olga", "Olga")
TIER_OF = {"acme": "basic", "globex": "premium", "initech": "standard"}


def ready_cell(code: str = "prod", **values: Any) -> Cell:
    """A cell that takes tenants, with the tiers seeded; what it shares is not made."""
    seed_tiers()
    defaults = {"environment": "production", "partition": "aws", "region": "eu-central-1", "account_id": "123456789012"}
    cell = seed_cell(code=code, **{**defaults, **values})
    Cell.objects.filter(pk=cell.pk).update(state="ready")
    cell.refresh_from_db()
    return cell


def onboarded(who: str = "acme", **values: Any) -> Tenant:
    """Start a tenant's onboarding and carry it out as far as it goes."""
    operation = asked(who, **values)
    engine.run(operation.pk)
    return Tenant.objects.select_related("tier", "cell").get(pk=operation.tenant_id)


def asked(who: str = "acme", **values: Any) -> Operation:
    """Start a tenant's onboarding."""
    defaults = {
        "slug": who,
        "name": who.title(),
        "tier_code": TIER_OF.get(who, "basic"),
        "admin_email": f"admin@{who}.example",
        "reference": f"test:{who}",
    }
    return start_onboard(actor=OPERATOR, **{**defaults, **values})


def make_due(operation: Operation) -> None:
    """Let the time pass that an operation has to wait, or that its dead worker's lease still has."""
    past = timezone.now()
    Operation.objects.filter(pk=operation.pk, not_before__isnull=False).update(not_before=past)
    Operation.objects.filter(pk=operation.pk, lease_until__isnull=False).update(lease_until=past)


def finish(operation: Operation, *, most: int = 30) -> Operation:
    """Carry an operation out to its end, letting every wait pass."""
    for _ in range(most):
        engine.run(operation.pk)
        operation.refresh_from_db()
        if not operation.is_active:
            return operation
        make_due(operation)
    raise AssertionError(f"{operation} is still {operation.state} after {most} runs")
