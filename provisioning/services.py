"""Starting what an operator, a tenant or a machine asked for.

Each service checks, moves the lifecycle, writes the operation with all its steps, the audit event and the outbox event in one transaction,
and returns the operation. AWS is not called here (but for the first password, whose answer must be shown once).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor
from core.audit.services import record
from core.errors import ConflictError, DomainError, FieldError, InvalidInputError
from provisioning import moving, operations, preflight
from provisioning.models import ACTIVE_STATES, Operation, OperationKind, OperationState
from tenants import inputs
from tenants import services as tenants
from tenants.keys import claims, endings
from tenants.lifecycle import TenantState
from tenants.members import connections
from tenants.members import services as members
from tenants.models import Cell, CellState, OnboardingRequest, RequestState, Tenant, Tier
from tenants.selectors import facts_of_tier, get_cell, lock_tenant

MAX_GRACE = timedelta(days=90)
MAX_REFERENCE = 200


def start_onboard(
    *,
    actor: Actor,
    reference: str,
    slug: str,
    name: str,
    tier_code: str,
    admin_email: str,
    cell_code: str = "",
    admin_name: str = "",
    reason: str = "",
) -> Operation:
    """Take a new tenant in, and give the operation that provisions it.

    ``reference`` makes the request idempotent: the same reference with the same content gives the first operation again, with other content
    a ConflictError. Nothing is made before every check has passed; InvalidInputError names each bad field, CellFullError each quota.
    """
    if not 0 < len(reference) <= MAX_REFERENCE or not reference.isprintable():
        why = "A reference has 1 to 200 printable characters."
        raise InvalidInputError.at("/reference", why)
    payload = {
        "slug": slug,
        "name": name,
        "tier": tier_code,
        "cell": cell_code,
        "admin_email": admin_email,
        "admin_name": admin_name,
    }
    fingerprint = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    known = _find_request(reference, fingerprint)
    if known is not None:
        return known
    asked = {"fingerprint": fingerprint, "payload": _storable(payload), "actor": str(actor)}
    try:
        clean = inputs.collect(
            {
                "slug": lambda: inputs.clean_slug(slug),
                "name": lambda: inputs.clean_name(name),
                "admin_email": lambda: inputs.clean_email(admin_email),
                "admin_name": lambda: inputs.clean_name(admin_name, pointer="/admin_name", required=False),
            }
        )
        return _accept(actor, reference, asked, clean, tier_code, cell_code, inputs.clean_reason(reason or "onboarding"))
    except (DomainError, IntegrityError) as error:
        # Two requests with one reference at the same moment: the loser finds the slug taken, and gets the winner's answer.
        known = _find_request(reference, fingerprint)
        if known is not None:
            return known
        if isinstance(error, InvalidInputError):
            _note_refusal(actor, reference, asked, error)
        raise


def _storable(payload: dict[str, str]) -> dict[str, str]:
    """What was typed, as far as every database can keep it: no NUL, no lone surrogate, not more than 500 characters a field."""
    clean = {name: value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd") for name, value in payload.items()}
    return {name: value[: inputs.MAX_REASON] for name, value in clean.items()}


@transaction.atomic
def _accept(
    actor: Actor, reference: str, asked: dict[str, Any], clean: dict[str, str], tier_code: str, cell_code: str, reason: str
) -> Operation:
    tier = preflight.choose_tier(tier_code)
    cell = preflight.choose_cell(cell_code)
    preflight.check_cell(cell, tier)
    tenant = tenants.create_tenant(actor=actor, tier=tier, cell=cell, reason=reason, **clean)
    members.write_first(actor=actor, tenant=tenant)
    tenants.move(tenant, to=TenantState.PROVISIONING, actor=actor, reason=reason)
    operation = operations.start(kind=OperationKind.ONBOARD, actor=actor, reason=reason, tenant=tenant, goal=TenantState.ACTIVE)
    accepted = {**asked, "state": RequestState.ACCEPTED, "tenant": tenant, "errors": []}
    if not OnboardingRequest.objects.filter(reference=reference, state=RequestState.REFUSED).update(**accepted):
        OnboardingRequest.objects.create(reference=reference, **accepted)
    return operation


@transaction.atomic
def _note_refusal(actor: Actor, reference: str, asked: dict[str, Any], error: InvalidInputError) -> None:
    """Keep what was asked and why it was refused; mended, the same reference may ask again."""
    refused = {**asked, "state": RequestState.REFUSED, "errors": [asdict(field) for field in error.errors]}
    if not OnboardingRequest.objects.filter(reference=reference, state=RequestState.REFUSED).update(**refused):
        # One that was accepted at this very moment stays as it is.
        OnboardingRequest.objects.get_or_create(reference=reference, defaults=refused)
    record(
        action="onboarding.refused",
        actor=actor,
        target=reference,
        outcome="refused",
        details={"fields": sorted({field.pointer for field in error.errors})},
    )


def _find_request(reference: str, fingerprint: str) -> Operation | None:
    request = OnboardingRequest.objects.filter(reference=reference, state=RequestState.ACCEPTED).first()
    if request is None:
        return None
    if request.fingerprint != fingerprint:
        raise ConflictError("This reference was used before with other content.", code="idempotency-mismatch")
    return Operation.objects.filter(tenant=request.tenant, kind=OperationKind.ONBOARD).order_by("pk").first()


@transaction.atomic
def start_change_tier(*, actor: Actor, tenant_id: str, tier_code: str, reason: str) -> Operation:
    """Move a tenant to another tier: what it lacks is made, what is surplus is removed, what holds data is retained."""
    reason = inputs.clean_reason(reason)
    cell = preflight.choose_cell(lock_tenant(tenant_id).cell.code)
    tenant = lock_tenant(tenant_id)
    if tenant.state not in (TenantState.ACTIVE, TenantState.SUSPENDED):
        raise ConflictError(
            f"The tenant is {tenant.state}; its tier can change while it is active or suspended.", code="illegal-transition"
        )
    if tenant.tier_id == tier_code:
        raise InvalidInputError("The tenant has this tier already.", errors=(FieldError("/tier", "This is its tier already."),))
    before = tenant.tier
    tier = preflight.choose_tier(tier_code)
    preflight.check_cell(cell, tier, moving=before)
    tenant.tier = tier
    tenant.revision += 1
    tenant.save(update_fields=["tier", "revision"])
    if not tier.sso_allowed or is_elsewhere(before, tier):
        connections.fall_back(actor=actor, tenant_ids=[tenant.pk], reason=reason)
    target = {"from": before.pk, "to": tier.pk}
    return operations.start(
        kind=OperationKind.CHANGE_TIER, actor=actor, reason=reason, tenant=tenant, target=target, goal=tenant.state
    )


@transaction.atomic
def start_suspend(*, actor: Actor, tenant_id: str, reason: str) -> Operation:
    """Stop a tenant: at the edge from commit on, in Cognito and IAM when the operation has run. It waits for no other operation.

    One that is under way or has failed is set aside, a change of tier is undone; if a worker is inside it, this one starts when that
    worker's lease has ended, so that the two never write to AWS in the wrong order (``docs/decisions/0006``).
    """
    reason = inputs.clean_reason(reason)
    tenant = lock_tenant(tenant_id)
    _require(tenant, TenantState.ACTIVE, "suspended")
    tenants.move(tenant, to=TenantState.SUSPENDED, actor=actor, reason=reason)
    unfinished = (*ACTIVE_STATES, OperationState.FAILED)
    not_before = None
    for under_way in Operation.objects.select_for_update(of=("self",)).filter(tenant=tenant, state__in=unfinished).order_by("pk"):
        if under_way.state == OperationState.RUNNING:
            not_before = under_way.lease_until
        operations.set_aside(under_way, actor=actor, reason="the tenant is being suspended", sources=unfinished)
        if under_way.kind == OperationKind.CHANGE_TIER:
            tenant = _back_to_former_tier(tenant, under_way)
    return operations.start(
        kind=OperationKind.SUSPEND, actor=actor, reason=reason, tenant=tenant, goal=TenantState.SUSPENDED, not_before=not_before
    )


@transaction.atomic
def start_resume(*, actor: Actor, tenant_id: str, reason: str) -> Operation:
    """Let a suspended tenant work again. It is active when everything was read back as promised, not before."""
    reason = inputs.clean_reason(reason)
    tenant = lock_tenant(tenant_id)
    _require(tenant, TenantState.SUSPENDED, "resumed")
    return operations.start(kind=OperationKind.RESUME, actor=actor, reason=reason, tenant=tenant, goal=TenantState.ACTIVE)


@transaction.atomic
def start_offboard(*, actor: Actor, tenant_id: str, reason: str, grace: timedelta | None = None) -> Operation:
    """Close a tenant's doors now and remove everything after the grace (the tier's by default, at most 90 days), undoable until then."""
    reason = inputs.clean_reason(reason)
    tenant = lock_tenant(tenant_id)
    wait = timedelta(seconds=tenant.tier.offboarding_grace_seconds) if grace is None else grace
    if not timedelta(0) <= wait <= MAX_GRACE:
        raise InvalidInputError("The grace is 0 to 90 days.", errors=(FieldError("/grace_seconds", "0 to 90 days."),))
    due = timezone.now() + wait
    tenants.move(tenant, to=TenantState.OFFBOARDING, actor=actor, reason=reason, offboard_due_at=due, resume_state=tenant.state)
    return operations.start(kind=OperationKind.OFFBOARD, actor=actor, reason=reason, tenant=tenant, goal=TenantState.OFFBOARDING)


@transaction.atomic
def start_undo_offboard(*, actor: Actor, tenant_id: str, reason: str) -> Operation:
    """Bring a tenant back to the state it was offboarded from, until its removal has begun."""
    reason = inputs.clean_reason(reason)
    tenant = lock_tenant(tenant_id)
    _require(tenant, TenantState.OFFBOARDING, "brought back")
    if Operation.objects.filter(tenant=tenant, kind=OperationKind.DEPROVISION).exists():
        raise ConflictError("The removal has begun; it cannot be undone.", code="illegal-transition")
    goal = TenantState(tenant.resume_state or TenantState.ACTIVE)
    return operations.start(kind=OperationKind.UNDO_OFFBOARD, actor=actor, reason=reason, tenant=tenant, goal=goal)


@transaction.atomic
def start_deprovision(*, actor: Actor, tenant_id: str, reason: str) -> Operation:
    """Remove everything of a tenant whose grace has run out. The clock calls this; earlier it is a ConflictError."""
    tenant = lock_tenant(tenant_id)
    _require(tenant, TenantState.OFFBOARDING, "removed")
    if tenant.offboard_due_at is None or tenant.offboard_due_at > timezone.now():
        raise ConflictError("The grace has not run out yet.", code="illegal-transition")
    endings.end_all(tenant.pk, because="offboarded", actor=actor, reason=reason)
    members.remove_all(actor=actor, tenant_id=tenant.pk, reason=reason)
    connections.forget(actor=actor, tenant=tenant, reason=reason)
    return operations.start(kind=OperationKind.DEPROVISION, actor=actor, reason=reason, tenant=tenant)


@transaction.atomic
def start_repair(*, actor: Actor, tenant_id: str, reason: str) -> Operation:
    """Read everything of a tenant back, its keys' secrets too, and correct what differs or is missing."""
    reason = inputs.clean_reason(reason)
    tenant = lock_tenant(tenant_id)
    if tenant.state not in (TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.OFFBOARDING):
        raise ConflictError(f"The tenant is {tenant.state}; there is nothing to repair.", code="illegal-transition")
    goal = operations.goal_of(tenant)
    claims.look_again(tenant.pk)
    return operations.start(kind=OperationKind.REPAIR, actor=actor, reason=reason, tenant=tenant, goal=goal)


@transaction.atomic
def start_prepare_cell(*, actor: Actor, cell_code: str, reason: str) -> Operation:
    """Make what a cell shares among its tenants; it is ready when all of it was read back."""
    cell = _locked_cell(cell_code)
    if cell.state not in (CellState.REGISTERED, CellState.PREPARING):
        raise ConflictError(f"The cell is {cell.state}; use repair.", code="illegal-transition")
    Cell.objects.filter(pk=cell.pk).update(state=CellState.PREPARING)
    return operations.start(kind=OperationKind.PREPARE_CELL, actor=actor, reason=inputs.clean_reason(reason), cell=cell)


@transaction.atomic
def start_repair_cell(*, actor: Actor, cell_code: str, reason: str) -> Operation:
    """Read back what a cell shares and correct what differs or is missing."""
    cell = _locked_cell(cell_code)
    return operations.start(kind=OperationKind.REPAIR, actor=actor, reason=inputs.clean_reason(reason), cell=cell)


@transaction.atomic
def retry(*, actor: Actor, operation_id: str, reason: str) -> Operation:
    """Let a failed operation go on from what the ledger says."""
    operation = operations.get_locked(operation_id)
    operations.restart(operation, actor=actor, reason=inputs.clean_reason(reason))
    return operation


@transaction.atomic
def abandon(*, actor: Actor, operation_id: str, reason: str) -> Operation:
    """Give a failed operation up, and give the operation that leads to the last shape that was promised.

    An onboarding converges to absent and the tenant is closed; a change of tier converges back to the tier before. Anything else is set
    aside and read back by a repair towards the tenant's present state; a removal cannot be given up, only tried again.
    """
    reason = inputs.clean_reason(reason)
    operation = operations.get_locked(operation_id)
    if operation.kind in (OperationKind.DEPROVISION, OperationKind.ABANDON):
        raise ConflictError("A removal cannot be given up halfway; try it again.", code="illegal-transition")
    operations.set_aside(operation, actor=actor, reason=reason)
    tenant, cell = operation.tenant, operation.cell
    target = {"abandons": operation.pk}
    if tenant is None or operation.kind == OperationKind.ONBOARD:
        begun = operation.kind in (OperationKind.ONBOARD, OperationKind.PREPARE_CELL)
        if cell is not None and cell.tenants.exclude(state=TenantState.CLOSED).exists():
            begun = False  # somebody lives on what the cell shares
        kind = OperationKind.ABANDON if begun else OperationKind.REPAIR
        if tenant is not None and begun:
            members.remove_all(actor=actor, tenant_id=tenant.pk, reason=reason)
        return operations.start(kind=kind, actor=actor, reason=reason, tenant=tenant, cell=cell, target=target)
    if operation.kind == OperationKind.CHANGE_TIER:
        tenant = _back_to_former_tier(tenant, operation)
    goal = operations.goal_of(tenant)
    return operations.start(kind=OperationKind.REPAIR, actor=actor, reason=reason, tenant=tenant, target=target, goal=goal)


def is_elsewhere(before: Tier, after: Tier) -> bool:
    """Say whether a change of tier moves people into another user pool, whose addresses an identity provider has to be told."""
    return facts_of_tier(before).isolation_model.has_own_pool != facts_of_tier(after).isolation_model.has_own_pool


def _back_to_former_tier(tenant: Tenant, move: Operation) -> Tenant:
    tenant.tier_id = move.target["from"]
    tenant.revision += 1
    tenant.save(update_fields=["tier", "revision"])
    tenant = lock_tenant(tenant.pk)
    moving.stay(tenant, move)
    return tenant


def _locked_cell(code: str) -> Cell:
    return Cell.objects.select_for_update().get(pk=get_cell(code).pk)


def _require(tenant: Tenant, state: TenantState, participle: str) -> None:
    if tenant.state != state:
        raise ConflictError(f"The tenant is {tenant.state}; it can be {participle} only while {state}.", code="illegal-transition")
