"""What counts against a cell's quotas: its living tenants by tier, what its tenants retained, what it shares, and nobody else's."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


def test_usage_counts_the_cells_own_living_retained_and_shared() -> None:
    from django.utils import timezone

    from provisioning.models import Resource
    from provisioning.preflight import usage_of
    from tenants.models import Cell, Tenant, Tier
    from tests.cast import ready_cell

    here, elsewhere = ready_cell("here"), ready_cell("elsewhere")

    def tenant(slug: str, cell: Cell, tier: str, state: str = "active") -> Tenant:
        return Tenant.objects.create(
            slug=slug,
            skeleton=slug,
            name=slug,
            tier=Tier.objects.get(pk=tier),
            cell=cell,
            admin_email="a@b.example",
            state=state,
            state_changed_at=timezone.now(),
        )

    def row(kind: str, state: str, *, of: Tenant | Cell) -> None:
        owner = {"cell": of} if isinstance(of, Cell) else {"tenant": of}
        Resource.objects.create(kind=kind, name="own", state=state, spec={}, fingerprint="0" * 64, **owner)

    pooled, bridged = tenant("pooled", here, "basic"), tenant("bridged", here, "standard")
    tenant("gone", here, "premium", state="closed")
    neighbour = tenant("neighbour", elsewhere, "premium")
    row("kms_key", "retained", of=pooled)
    row("user_pool", "present", of=bridged)
    row("user_pool", "retained", of=neighbour)
    row("bucket", "present", of=here)
    row("table", "absent", of=here)
    row("bucket", "present", of=elsewhere)
    used = usage_of(here)
    assert +used == {"secrets": 2, "user_pools": 1, "roles": 1, "kms_keys": 2, "buckets": 1}
