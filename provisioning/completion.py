"""What an operation's end means for its tenant or cell: state, audit and events, in the engine's recording transaction."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from core.actors import Actor, system
from core.audit.services import record
from core.outbox.services import publish
from core.transitions import IllegalTransitionError
from provisioning import claims, moving, operations
from provisioning.claims import Claim
from provisioning.models import Operation, OperationKind, OperationState, Step
from provisioning.outcomes import Failed
from tenants import services as tenants
from tenants.lifecycle import TenantState
from tenants.members import connections
from tenants.models import Cell, CellState

ENDS_ACTIVE = (OperationKind.ONBOARD, OperationKind.RESUME, OperationKind.UNDO_OFFBOARD)
ENDS_CLOSED = (OperationKind.DEPROVISION, OperationKind.ABANDON)


def succeed(claim: Claim) -> None:
    """Finish an operation whose every step was observed, and move its tenant or cell on."""
    operation = claim.operation
    now = timezone.now()
    claims.hold(
        claim, state=OperationState.SUCCEEDED, finished_at=now, lease_until=None, error_code="", error_detail="", left_behind=[]
    )
    operation.state = OperationState.SUCCEEDED
    _move_subject(operation)
    moving.follow(operation)
    _tell(operation, outcome="succeeded")


def fail(claim: Claim, step: Step, outcome: Failed, *, left_behind: list[str]) -> None:
    """Leave the operation failed, with the step, the error in words and what may exist half-made."""
    operation = claim.operation
    claims.hold(
        claim,
        state=OperationState.FAILED,
        finished_at=timezone.now(),
        lease_until=None,
        error_code=outcome.error_code[:100],
        error_detail=outcome.error_detail,
        left_behind=left_behind,
    )
    operation.state = OperationState.FAILED
    _tell(operation, outcome="failed", step=str(step), error_code=outcome.error_code, left_behind=left_behind)
    _take_back(operation, outcome)


def _take_back(operation: Operation, outcome: Failed) -> None:
    """After details of an identity provider that were not taken, go back to none: what an owner typed must not leave the tenant unrepairable.

    Where that fails as well, the operation stays failed and is an operator's.
    """
    tenant, actor = operation.tenant, system("connections")
    if operation.kind != OperationKind.CONNECT or tenant is None:
        return
    if not connections.take_back(actor=actor, tenant=tenant, why=outcome.error_code):
        return
    reason = "the identity provider could not be set up"
    operations.set_aside(operation, actor=actor, reason=reason)
    operations.start(kind=OperationKind.CONNECT, actor=actor, reason=reason, tenant=tenant, goal=tenant.state)


def _move_subject(operation: Operation) -> None:
    kind = OperationKind(operation.kind)
    actor = Actor.parse(operation.actor)
    if operation.cell is not None:
        if kind == OperationKind.ABANDON:
            Cell.objects.filter(pk=operation.cell.pk).update(state=CellState.REGISTERED)
        else:
            Cell.objects.filter(pk=operation.cell.pk, state=CellState.PREPARING).update(state=CellState.READY)
        return
    if operation.tenant is None:
        return
    goal = _goal_of(kind, operation)
    if goal is None or operation.tenant.state == goal:
        return
    try:
        tenants.move(operation.tenant, to=goal, actor=actor, reason=operation.reason, correlation_id=operation.pk)
    except IllegalTransitionError:
        # Suspended meanwhile: that decision stands, and the operation that it started will make AWS agree.
        return


def _goal_of(kind: OperationKind, operation: Operation) -> TenantState | None:
    if kind in ENDS_CLOSED:
        return TenantState.CLOSED
    if kind in ENDS_ACTIVE:
        return TenantState(operation.target.get("state", TenantState.ACTIVE))
    return None


def _tell(operation: Operation, *, outcome: str, **details: Any) -> None:
    subject = operation.tenant_id or operation.cell_id or ""
    record(
        action=f"operation.{outcome}",
        actor=Actor.parse(operation.actor),
        target=operation.pk,
        tenant_id=operation.tenant_id,
        reason=operation.reason,
        outcome=outcome,
        details={"kind": operation.kind, "subject": subject, **details},
        correlation_id=operation.pk,
    )
    publish(
        type=f"operation.{outcome}",
        subject=operation.pk,
        tenant_id=operation.tenant_id,
        data={"operation": operation.pk, "kind": operation.kind, "subject": subject, **details},
    )
