"""Reads: operations, their timelines, the ledger and the numbers of the overview."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Prefetch, QuerySet

from core.errors import NotFoundError
from provisioning.models import ACTIVE_STATES, Operation, OperationKind, OperationState, Resource, ResourceState, Step
from provisioning.preflight import usage_of
from provisioning.resources.base import OWN
from tenants.lifecycle import TenantState
from tenants.models import Cell, Tenant


def list_operations(*, tenant_id: str = "", cell: str = "", state: str = "", kind: str = "") -> QuerySet[Operation]:
    """Give operations, newest first, with tenant and cell joined."""
    wanted = {"tenant_id": tenant_id, "cell__code": cell, "state": state, "kind": kind}
    rows = Operation.objects.select_related("tenant", "cell")
    return rows.filter(**{field: value for field, value in wanted.items() if value})


def get_operation(operation_id: str) -> Operation:
    """Give one operation with its steps; raises NotFoundError."""
    operation = list_operations().filter(pk=operation_id).prefetch_related(_steps()).first()
    if operation is None:
        raise NotFoundError("There is no such operation.")
    return operation


def timeline_of(tenant_id: str, *, most: int = 20) -> list[Operation]:
    """Give a tenant's latest operations with their steps, newest first, in two queries."""
    return list(list_operations(tenant_id=tenant_id).prefetch_related(_steps())[:most])


def _steps() -> Prefetch[str]:
    return Prefetch("steps", queryset=Step.objects.order_by("position").defer("spec"))


def list_resources(*, tenant_id: str | None = None, cell_id: str | None = None) -> QuerySet[Resource]:
    """Give the ledger of a tenant or of a cell, without what is absent."""
    return Resource.objects.filter(tenant_id=tenant_id, cell_id=cell_id).exclude(state=ResourceState.ABSENT)


def list_resources_at(place: str, tenant: Tenant) -> QuerySet[Resource]:
    """Give the ledger's rows of what is a tenant's own (``OWN``), or of what its cell shares."""
    return list_resources(tenant_id=tenant.pk) if place == OWN else list_resources(cell_id=tenant.cell_id)


def count_operations() -> dict[str, int]:
    """Give the number of operations in each state that somebody or something still acts on."""
    states = (*ACTIVE_STATES, OperationState.FAILED)
    found = dict(Operation.objects.filter(state__in=states).values_list("state").annotate(number=Count("pk")).order_by())
    return {state.value: found.get(state.value, 0) for state in states}


def actions_of(tenant: Tenant) -> tuple[str, ...]:
    """Give the names of the acts that a tenant's state allows now; whether an operation is under way is said by ``active_operation``."""
    return {
        TenantState.ACTIVE: ("suspend", "change_tier", "repair", "offboard"),
        TenantState.SUSPENDED: ("resume", "change_tier", "repair", "offboard"),
        TenantState.OFFBOARDING: ("undo_offboard", "repair"),
    }.get(TenantState(tenant.state), ())


def operation_actions_of(operation: Operation) -> tuple[str, ...]:
    """Give the names of the acts that an operation's state allows now."""
    if operation.state != OperationState.FAILED:
        return ()
    return ("retry",) if operation.kind in (OperationKind.DEPROVISION, OperationKind.ABANDON) else ("retry", "abandon")


def active_operation(tenant_id: str) -> Operation | None:
    """Give the operation that is under way for a tenant, if any."""
    return Operation.objects.filter(tenant_id=tenant_id, state__in=ACTIVE_STATES).first()


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of one of a cell's AWS quotas is in use."""

    name: str
    used: int
    limit: int

    @property
    def percent(self) -> int:
        """Share in use, 0 to 100, rounded up."""
        return min(100, -(-100 * self.used // self.limit)) if self.limit else 100


def quotas_of(cell: Cell) -> list[QuotaUse]:
    """Give the use of every quota that the cell names."""
    used = usage_of(cell)
    return [QuotaUse(name, used[name], limit) for name, limit in sorted(cell.quotas.items())]
