"""Comparing what AWS has with what was promised, by our own read-back. Nothing is changed here; a repair does that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from django.db.models import Min
from django.utils import timezone

from core.actors import Actor, system
from core.errors import DomainError
from provisioning import operations
from provisioning.models import ACTIVE_STATES, Operation, OperationKind, OperationState, Resource, ResourceState
from provisioning.plan import PlannedStep
from provisioning.resources import KINDS
from provisioning.resources.base import ABSENT, Known, MissingDependencyError, Observed
from provisioning.services import start_repair, start_repair_cell
from tenants import clouds
from tenants.lifecycle import TenantState
from tenants.models import Cell, CellState, Tenant
from tenants.naming import session_name
from tenants.selectors import facts_of_cell

logger = logging.getLogger(__name__)

SLICE = 20
UNFINISHED = (*ACTIVE_STATES, OperationState.FAILED)
REASON = "what was read back is not what was promised"


@dataclass(frozen=True, slots=True)
class Drift:
    """One resource that is not as promised: missing, or with ``differences`` in words."""

    kind: str
    name: str
    differences: tuple[str, ...]


def observe_cell(cell: Cell, *, actor: Actor) -> list[Drift]:
    """Read back everything that a cell shares, write what was seen into the ledger, and give what differs.

    What a newer release shares besides counts as drift as well, so that a cell that was prepared by an older one gets it; a cell that was
    never prepared here has nothing to differ from.
    """
    rows = Resource.objects.filter(cell=cell)
    found = _observe(rows, cell, owner_id=cell.pk, actor=actor)
    return found + _stale(found, operations.plan_for(OperationKind.CHANGE_TIER, cell=cell) if rows.exists() else ())


def observe_tenant(tenant: Tenant, *, actor: Actor) -> list[Drift]:
    """Read back everything that a tenant has, write what was seen into the ledger, and give what differs.

    A resource whose promised shape has changed since it was made (an edited tier) counts as drift as well.
    """
    found = _observe(Resource.objects.filter(tenant=tenant), tenant.cell, owner_id=tenant.pk, actor=actor)
    return found + _stale(found, operations.plan_for(OperationKind.CHANGE_TIER, tenant=tenant, goal=operations.goal_of(tenant)))


def _stale(found: Iterable[Drift], planned: Iterable[PlannedStep]) -> list[Drift]:
    named = {(drift.kind, drift.name) for drift in found}
    return [
        Drift(step.kind, step.name, (step.why,))
        for step in planned
        if (step.kind, step.name) not in named and step.action != "retain"
    ]


def _observe(rows: Iterable[Resource], cell: Cell, *, owner_id: str, actor: Actor) -> list[Drift]:
    present = [row for row in rows if row.state in (ResourceState.PRESENT, ResourceState.DRIFTED)]
    facts = facts_of_cell(cell)
    aws = clouds.connect_to(facts, session_name=session_name(owner_id, actor))
    shared = {(r.kind, r.name): r.attributes for r in Resource.objects.filter(cell=cell).exclude(state=ResourceState.ABSENT)}
    known = Known(owned={(row.kind, row.name): row.attributes for row in present}, shared=shared)
    drifts = []
    for row in present:
        try:
            seen = KINDS[row.kind].observe(aws, row.spec, replace(known, this=row.attributes))
        except MissingDependencyError:
            seen = ABSENT
        _write(row, seen)
        if not seen.is_as_promised:
            drifts.append(Drift(row.kind, row.name, seen.differences or ("it is not there",)))
    return drifts


def _write(row: Resource, seen: Observed) -> None:
    """Record what was seen, unless an operation has touched the row since it was read."""
    state = ResourceState.PRESENT if seen.is_as_promised else ResourceState.DRIFTED
    unchanged = Resource.objects.filter(pk=row.pk, state=row.state, fingerprint=row.fingerprint, operation_id=row.operation_id)
    differences = list(seen.differences) or ([] if seen.present else ["it is not there"])
    unchanged.update(state=state, differences=differences, observed_at=timezone.now())


def check_oldest(*, most: int = SLICE) -> int:
    """Check the cells, then tenants: half the slice by the oldest read-back, half by chance; start repairs, and give their number.

    Chance keeps tenants that cannot be read from filling every slice. One whose operation is under way, or has failed and waits for an
    operator, is left alone.
    """
    actor = system("drift")
    started = sum(_check(partial(_check_cell, cell, actor), cell.code) for cell in Cell.objects.filter(state=CellState.READY))
    states = (TenantState.ACTIVE, TenantState.SUSPENDED)
    settled = Tenant.objects.filter(state__in=states).exclude(operations__state__in=UNFINISHED)
    oldest = settled.annotate(seen=Min("resources__observed_at")).order_by("seen").values_list("pk", flat=True)[: most - most // 2]
    chosen = {*oldest, *settled.order_by("?").values_list("pk", flat=True)[: most // 2]}
    rows = Tenant.objects.select_related("tier", "cell").filter(pk__in=chosen)
    return started + sum(_check(partial(_check_tenant, tenant, actor), tenant.pk) for tenant in rows)


def _check(check: Callable[[], int], owner: str) -> int:
    """Run one check; whatever goes wrong with one owner must not keep the others from being looked at."""
    try:
        return check()
    except DomainError as error:
        logger.warning("%s was not checked: %s", owner, error)
    except Exception:
        logger.exception("%s was not checked", owner)
    return 0


def _check_cell(cell: Cell, actor: Actor) -> int:
    if Operation.objects.filter(cell=cell, state__in=UNFINISHED).exists() or not observe_cell(cell, actor=actor):
        return 0
    start_repair_cell(actor=actor, cell_code=cell.code, reason=REASON)
    return 1


def _check_tenant(tenant: Tenant, actor: Actor) -> int:
    if not observe_tenant(tenant, actor=actor):
        return 0
    start_repair(actor=actor, tenant_id=tenant.pk, reason=REASON)
    return 1
