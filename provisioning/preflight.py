"""What is refused before anything is made: quotas, partitions, tiers and cells that cannot take a tenant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db.models import Count

from core.errors import FieldError, InvalidInputError
from provisioning.desired import desired_of_tenant
from provisioning.models import Resource, ResourceState
from tenants.facts import CellFacts, IsolationModel, TenantFacts, TierFacts
from tenants.lifecycle import TenantState
from tenants.models import Cell, CellState, Tenant, Tier
from tenants.selectors import facts_of_cell, facts_of_tier

# What one resource of a kind takes of AWS's quotas in the cell's account. A stack takes its own, and what it holds.
QUOTA_OF_KIND: Mapping[str, Mapping[str, int]] = {
    "user_pool": {"user_pools": 1},
    "access_role": {"roles": 1},
    "secret": {"secrets": 1},
    "kms_key": {"kms_keys": 1},
    "bucket": {"buckets": 1},
    "table": {"tables": 1},
    "stack": {"stacks": 1, "buckets": 1, "roles": 1, "tables": 1},
}
SAMPLE_ID = "tnt_" + "0" * 26


class CellFullError(InvalidInputError):
    """The cell's AWS quotas leave no room; ``errors`` names each quota with its numbers."""

    code = "cell-full"
    title = "The cell is full"


def choose_cell(code: str) -> Cell:
    """Lock and give the cell named, or the first that is ready; raises InvalidInputError when there is none.

    The lock makes the count of quotas and the new tenant one act: two requests for the last place cannot both have it.
    """
    cells = Cell.objects.select_for_update()
    cell = (
        cells.filter(code=code).first()
        if code
        else cells.filter(state=CellState.READY, partition=settings.CONTROLPLANE_PARTITION).first()
    )
    if cell is None:
        raise InvalidInputError.at("/cell", "There is no such cell." if code else "No cell is ready to take tenants.", "unknown")
    return cell


def choose_tier(code: str) -> Tier:
    """Give a tier that takes new tenants; raises InvalidInputError."""
    tier = Tier.objects.filter(pk=code).first()
    if tier is None:
        raise InvalidInputError.at("/tier", "There is no such tier.", "unknown")
    if tier.retired_at is not None:
        raise InvalidInputError.at("/tier", "This tier is retired and takes no new tenants.", "retired")
    return tier


def check_cell(cell: Cell, tier: Tier, *, moving: Tier | None = None) -> None:
    """Refuse a cell that is not ready, that lies in a partition which this control plane cannot reach, or that is full.

    ``moving`` is the tier that a tenant already in the cell leaves. Raises InvalidInputError or CellFullError.
    """
    if cell.state != CellState.READY and not (moving and cell.state == CellState.DRAINING):
        raise InvalidInputError.at("/cell", f"The cell is {cell.state}; it takes tenants when it is ready.", "not-ready")
    if cell.partition != settings.CONTROLPLANE_PARTITION:
        why = f"The cell is in {cell.partition}, this control plane in {settings.CONTROLPLANE_PARTITION}: roles cannot be assumed across."
        raise InvalidInputError.at("/cell", why, "other-partition")
    _check_quotas(cell, tier, moving)


def _check_quotas(cell: Cell, tier: Tier, moving: Tier | None) -> None:
    if not cell.quotas:
        return
    extra = need_of(facts_of_tier(tier), facts_of_cell(cell))
    if moving is not None:
        # What holds data is retained on a move, and the old shape is removed only after the new one stands: count the whole need.
        extra = +(extra - Counter({"secrets": 1}))
    used = usage_of(cell)
    errors = tuple(
        FieldError("/cell", f"{quota}: {used[quota]} of {limit} in use, {extra[quota]} more needed.", "quota")
        for quota, limit in sorted(cell.quotas.items())
        if extra[quota] and used[quota] + extra[quota] > limit
    )
    if errors:
        raise CellFullError("The cell is full: " + " ".join(error.detail for error in errors), errors=errors)


def need_of(tier: TierFacts, cell: CellFacts) -> Counter[str]:
    """Give what one tenant of this tier takes of each quota."""
    sample = TenantFacts(SAMPLE_ID, "sample", "Sample", TenantState.ACTIVE, tier, cell, "sample@example.com")
    return _count(item.kind for item in desired_of_tenant(sample))


def usage_of(cell: Cell) -> Counter[str]:
    """Give what is used of each quota: by living tenants as their tier says, whether made yet or not, and by what was retained."""
    facts = facts_of_cell(cell)
    used: Counter[str] = Counter()
    living = Tenant.objects.filter(cell=cell).exclude(state=TenantState.CLOSED)
    models = dict(Tier.objects.values_list("pk", "isolation_model"))
    for tier, number in living.values_list("tier_id").annotate(number=Count("pk")).order_by():
        for quota, each in need_of(TierFacts("any", IsolationModel(models[tier])), facts).items():
            used[quota] += each * number
    # In their default order these would read and sort the rows of every tenant. The retained ones of all cells are few and found by
    # kind and state; asked for by cell, SQLite would look each tenant of the cell up.
    retained = Resource.objects.filter(kind__in=QUOTA_OF_KIND, state=ResourceState.RETAINED).order_by()
    used.update(_count(kind for kind, where in retained.values_list("kind", "tenant__cell_id") if where == cell.pk))
    shared = Resource.objects.filter(cell=cell, tenant__isnull=True).exclude(state=ResourceState.ABSENT).order_by()
    used.update(_count(shared.values_list("kind", flat=True)))
    return used


def _count(kinds: Iterable[str]) -> Counter[str]:
    used: Counter[str] = Counter()
    for kind in kinds:
        used.update(QUOTA_OF_KIND.get(kind, {}))
    return used
