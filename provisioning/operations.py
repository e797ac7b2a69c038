"""Writing operations: the row with all its steps, in the caller's transaction, with audit and event. Used by the services."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor
from core.audit.services import record
from core.errors import ConflictError, NotFoundError
from core.outbox.services import publish
from provisioning import doorbell
from provisioning.desired import desired_of_cell, desired_of_tenant
from provisioning.ledger import entries_of
from provisioning.models import ACTIVE_STATES, Operation, OperationKind, OperationState, Step, StepState
from provisioning.plan import PlannedStep, plan
from tenants.lifecycle import TenantState
from tenants.models import Cell, Tenant
from tenants.selectors import facts_of, facts_of_cell

READS_EVERYTHING_BACK = (OperationKind.REPAIR, OperationKind.PREPARE_CELL, OperationKind.RESUME, OperationKind.UNDO_OFFBOARD)

# Which failed operations a new one may take the place of, besides one of its own kind. Whatever changed more than AWS (a tier, a
# way back from offboarding, a removal half done) is not among them: an operator must say what becomes of it.
COVERS: dict[OperationKind, tuple[OperationKind, ...]] = {
    OperationKind.RESUME: (OperationKind.SUSPEND, OperationKind.REPAIR),
    OperationKind.OFFBOARD: (OperationKind.SUSPEND, OperationKind.RESUME, OperationKind.REPAIR, OperationKind.CONNECT),
    OperationKind.UNDO_OFFBOARD: (OperationKind.OFFBOARD, OperationKind.REPAIR),
    OperationKind.DEPROVISION: (OperationKind.OFFBOARD, OperationKind.SUSPEND, OperationKind.REPAIR),
    OperationKind.CHANGE_TIER: (OperationKind.REPAIR, OperationKind.CONNECT),
    OperationKind.REPAIR: (OperationKind.CONNECT,),
}


class BusyError(ConflictError):
    """Another operation of the same tenant or cell is under way."""

    code = "operation-under-way"
    title = "Another operation is under way"


def plan_for(
    operation_kind: OperationKind,
    *,
    tenant: Tenant | None = None,
    cell: Cell | None = None,
    goal: str = "",
    again: bool = False,
) -> tuple[PlannedStep, ...]:
    """Give the steps that an operation of this kind would take now. Writes nothing; the console shows it before an operator confirms.

    A repair, a retry (``again``) and whatever makes a tenant active read everything back: what the ledger saw some time ago is not
    evidence of what is there now.
    """
    check_all = again or operation_kind in READS_EVERYTHING_BACK
    destroy = operation_kind in (OperationKind.DEPROVISION, OperationKind.ABANDON)
    if tenant is not None:
        desired = () if destroy else desired_of_tenant(facts_of(tenant), state=goal or tenant.state)
        return plan(desired, entries_of(tenant_id=tenant.pk), check_all=check_all, destroy=destroy)
    if cell is None:
        raise ValueError("an operation is for a tenant or for a cell")
    desired = () if destroy else desired_of_cell(facts_of_cell(cell))
    return plan(desired, entries_of(cell_id=cell.pk), check_all=check_all, destroy=destroy)


def start(
    *,
    kind: OperationKind,
    actor: Actor,
    reason: str,
    tenant: Tenant | None = None,
    cell: Cell | None = None,
    goal: str = "",
    target: dict[str, Any] | None = None,
    not_before: datetime | None = None,
) -> Operation:
    """Write an operation and its steps, audited and announced, and ring once committed. Raises BusyError when one is under way.

    A failed operation belongs to an operator, who retries or abandons it: BusyError as well, unless the new kind covers all that it was
    about (``COVERS``); then it is set aside, because the new plan starts from the ledger.
    """
    subject = {"tenant": tenant, "cell": cell}
    for failed in Operation.objects.select_for_update(of=("self",)).filter(**subject, state=OperationState.FAILED):
        if failed.kind != kind and failed.kind not in COVERS.get(kind, ()):
            raise BusyError(f"Operation {failed.pk} ({failed.get_kind_display()}) has failed: retry or abandon it first.")
        set_aside(failed, actor=actor, reason=f"{kind.label} takes its place")
    operation = Operation(
        kind=kind,
        actor=str(actor),
        reason=reason,
        target={**(target or {}), **({"state": goal} if goal else {})},
        created_at=timezone.now(),
        not_before=not_before,
        **subject,
    )
    try:
        with transaction.atomic():
            operation.save(force_insert=True)
    except IntegrityError:
        raise BusyError(
            f"Operation {active_id(tenant=tenant, cell=cell)} is still under way; try again when it has ended."
        ) from None
    _write_steps(operation, plan_for(kind, tenant=tenant, cell=cell, goal=goal))
    details = {"kind": str(kind), "subject": (tenant or cell).pk if (tenant or cell) else "", "steps": operation.steps_total}  # type: ignore[union-attr]
    _tell(operation, "operation.started", actor, reason, details)
    delay = (not_before - operation.created_at).total_seconds() if not_before else 0
    doorbell.ring_on_commit(operation.pk, delay_seconds=max(0.0, delay))
    return operation


def restart(operation: Operation, *, actor: Actor, reason: str) -> None:
    """Plan a failed operation anew from the ledger and let it go on. Call it inside a transaction."""
    anew: dict[str, Any] = {"finished_at": None, "not_before": None, "error_code": "", "error_detail": "", "left_behind": []}
    try:
        with transaction.atomic():
            mine = Operation.objects.filter(pk=operation.pk, state=OperationState.FAILED)
            changed = mine.update(state=OperationState.PENDING, **anew)
    except IntegrityError:
        raise BusyError("Another operation is under way; try again when it has ended.") from None
    if changed != 1:
        raise ConflictError("Only a failed operation can be tried again.")
    operation.refresh_from_db()
    operation.steps.exclude(state=StepState.SUCCEEDED).delete()
    goal = str(operation.target.get("state", ""))
    done = operation.steps.count()
    steps = plan_for(OperationKind(operation.kind), tenant=operation.tenant, cell=operation.cell, goal=goal, again=True)
    _write_steps(operation, steps, after=done)
    _tell(operation, "operation.retried", actor, reason, {"kind": operation.kind, "steps": len(steps)})
    doorbell.ring_on_commit(operation.pk)


def set_aside(operation: Operation, *, actor: Actor, reason: str, sources: tuple[str, ...] = (OperationState.FAILED,)) -> None:
    """End an operation unfinished; its ledger rows stay and are the next plan's business. Raises ConflictError when it is in no source."""
    changed = Operation.objects.filter(pk=operation.pk, state__in=sources).update(
        state=OperationState.ABANDONED, finished_at=timezone.now(), lease_until=None
    )
    if changed != 1:
        raise ConflictError(f"The operation is {operation.state}; that cannot be abandoned.")
    operation.state = OperationState.ABANDONED
    _tell(operation, "operation.abandoned", actor, reason, {"kind": operation.kind, "left_behind": operation.left_behind})


def get_locked(operation_id: str) -> Operation:
    """Give an operation, locked until the transaction ends; raises NotFoundError.

    Its tenant or cell is locked first, as everywhere: two orders of locks would be a deadlock.
    """
    owner = Operation.objects.filter(pk=operation_id).values_list("tenant_id", "cell_id").first()
    if owner is not None:
        list(Tenant.objects.select_for_update().filter(pk=owner[0]))
        list(Cell.objects.select_for_update().filter(pk=owner[1]))
    rows = Operation.objects.select_for_update(of=("self",)).select_related("tenant__tier", "tenant__cell", "cell")
    operation = rows.filter(pk=operation_id).first()
    if operation is None:
        raise NotFoundError("There is no such operation.")
    return operation


def active_id(*, tenant: Tenant | None = None, cell: Cell | None = None) -> str:
    """Give the id of the operation under way for a tenant or a cell, or an empty string."""
    rows = Operation.objects.filter(tenant=tenant, cell=cell, state__in=ACTIVE_STATES)
    return rows.values_list("pk", flat=True).first() or ""


def goal_of(tenant: Tenant) -> str:
    """Give the state whose shape a repair works towards."""
    return TenantState.ACTIVE if tenant.state == TenantState.PROVISIONING else tenant.state


def _write_steps(operation: Operation, steps: tuple[PlannedStep, ...], *, after: int = 0) -> None:
    rows = [
        Step(operation=operation, position=after + number, action=step.action, kind=step.kind, name=step.name, spec=step.spec)
        for number, step in enumerate(steps, start=1)
    ]
    Step.objects.bulk_create(rows)
    operation.steps_total, operation.steps_done = after + len(rows), after
    operation.save(update_fields=["steps_total", "steps_done"])


def _tell(operation: Operation, event: str, actor: Actor, reason: str, details: dict[str, Any]) -> None:
    record(
        action=event,
        actor=actor,
        target=operation.pk,
        tenant_id=operation.tenant_id,
        reason=reason,
        details=details,
        correlation_id=operation.pk,
    )
    publish(type=event, subject=operation.pk, tenant_id=operation.tenant_id, data={"operation": operation.pk, **details})
