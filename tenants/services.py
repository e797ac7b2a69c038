"""Acts on tenants, tiers and cells that need no AWS. Each checks, changes, audits and publishes in one transaction."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor
from core.audit.services import record
from core.errors import ConflictError, FieldError, InvalidInputError, NotFoundError
from core.outbox.services import publish
from core.transitions import change_state
from tenants import naming
from tenants.facts import Capabilities
from tenants.inputs import clean_name
from tenants.lifecycle import TenantState, sources_of
from tenants.limits.rates import LONGEST_REFILL_SECONDS
from tenants.members import connections
from tenants.models import Cell, Tenant, Tier
from tenants.selectors import facts_of_cell, lock_tenant
from tenants.slugs import skeleton_of

EVENT_OF = {
    TenantState.PROVISIONING: "tenant.requested",
    TenantState.ACTIVE: "tenant.activated",
    TenantState.SUSPENDED: "tenant.suspended",
    TenantState.OFFBOARDING: "tenant.offboarded",
    TenantState.CLOSED: "tenant.closed",
}
TIER_FIELDS = frozenset(
    "name isolation_model rate_per_second burst quota_per_day quota_per_month concurrency weight fail_policy "
    "key_max_age_days key_overlap_seconds key_quiet_seconds sso_allowed log_retention_days offboarding_grace_seconds".split()
)


def create_tenant(
    *, actor: Actor, slug: str, name: str, tier: Tier, cell: Cell, admin_email: str, admin_name: str, reason: str
) -> Tenant:
    """Write a tenant in state *requested* from clean input; raises InvalidInputError on a slug that is taken or looks like a taken one.

    Call it in the transaction that also writes the operation, which moves it on at once.
    """
    skeleton = skeleton_of(slug)
    _refuse_taken(slug, skeleton)
    tenant = Tenant(
        slug=slug,
        skeleton=skeleton,
        name=name,
        tier=tier,
        cell=cell,
        admin_email=admin_email,
        admin_name=admin_name,
        state_reason=reason,
        state_changed_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
    except IntegrityError:
        _refuse_taken(slug, skeleton)
        raise
    return tenant


def _refuse_taken(slug: str, skeleton: str) -> None:
    taken = Tenant.objects.filter(skeleton=skeleton).values_list("slug", flat=True).first()
    if taken is None:
        return
    reason = "This short name is taken." if taken == slug else f"This short name looks like {taken!r}, which is taken."
    raise InvalidInputError.at("/slug", reason, "taken")


def move(tenant: Tenant, *, to: TenantState, actor: Actor, reason: str, correlation_id: str = "", **also: Any) -> None:
    """Change a tenant's state if the lifecycle allows it, with audit and event; raises IllegalTransitionError.

    Call it inside a transaction. ``also`` are further fields to set in the same statement.
    """
    before = tenant.state
    change_state(
        tenant,
        to=to.value,
        sources=[source.value for source in sources_of(to)],
        state_reason=reason,
        state_changed_at=timezone.now(),
        **also,
    )
    details = {"from": before, "to": to.value}
    record(
        action=EVENT_OF[to],
        actor=actor,
        target=tenant.pk,
        tenant_id=tenant.pk,
        reason=reason,
        details=details,
        correlation_id=correlation_id,
    )
    publish(type=EVENT_OF[to], subject=tenant.pk, tenant_id=tenant.pk, data={"tenant": tenant.pk, "slug": tenant.slug, **details})


def rename_tenant(*, actor: Actor, tenant_id: str, name: str, revision: int | None = None, reason: str = "") -> Tenant:
    """Change how a tenant is called; with ``revision``, only if nobody changed it since. Raises ConflictError, InvalidInputError."""
    clean = clean_name(name)
    with transaction.atomic():
        tenant = lock_tenant(tenant_id)
        if revision is not None and tenant.revision != revision:
            raise ConflictError("The tenant was changed by somebody else meanwhile.", code="stale-revision")
        before, tenant.name, tenant.revision = tenant.name, clean, tenant.revision + 1
        tenant.save(update_fields=["name", "revision"])
        record(
            action="tenant.renamed",
            actor=actor,
            target=tenant.pk,
            tenant_id=tenant.pk,
            reason=reason,
            details={"from": before, "to": clean},
        )
    return tenant


def create_tier(*, actor: Actor, code: str, reason: str = "", **values: Any) -> Tier:
    """Add a tier; raises InvalidInputError on unknown or impossible values, ConflictError when the code exists."""
    with transaction.atomic():
        if Tier.objects.filter(pk=code).exists():
            raise ConflictError("A tier with this code exists.")
        return _save_tier(Tier(code=code), values, actor=actor, action="tier.created", reason=reason, is_new=True)


def update_tier(*, actor: Actor, code: str, reason: str = "", **values: Any) -> Tier:
    """Change a tier. Tenants follow at their next converge; the isolation model of a tier that has tenants cannot change."""
    with transaction.atomic():
        tier = Tier.objects.select_for_update().filter(pk=code).first()
        if tier is None:
            raise NotFoundError("There is no such tier.")
        other_model = values.get("isolation_model", tier.isolation_model) != tier.isolation_model
        if other_model and tier.tenants.exclude(state=TenantState.CLOSED).exists():
            why = "Tenants of this tier live under its isolation model; make another tier and move them."
            raise InvalidInputError.at("/isolation_model", why)
        loses_connections = tier.sso_allowed and not values.get("sso_allowed", True)
        saved = _save_tier(tier, values, actor=actor, action="tier.changed", reason=reason)
        if loses_connections:
            ids = list(tier.tenants.exclude(identity_provider={}).values_list("pk", flat=True))
            connections.fall_back(actor=actor, tenant_ids=ids, reason=reason)
        return saved


def retire_tier(*, actor: Actor, code: str, reason: str) -> Tier:
    """Take no new tenants into a tier; those it has stay. Repeating it changes nothing."""
    with transaction.atomic():
        tier = Tier.objects.select_for_update().filter(pk=code).first()
        if tier is None:
            raise NotFoundError("There is no such tier.")
        if tier.retired_at is None:
            tier.retired_at = timezone.now()
            tier.save(update_fields=["retired_at", "updated_at"])
            record(action="tier.retired", actor=actor, target=code, reason=reason)
        return tier


def _save_tier(tier: Tier, values: dict[str, Any], *, actor: Actor, action: str, reason: str, is_new: bool = False) -> Tier:
    unknown = sorted(set(values) - TIER_FIELDS)
    if unknown:
        raise InvalidInputError(
            "Unknown fields.", errors=tuple(FieldError(f"/{name}", "There is no such field.") for name in unknown)
        )
    changed = {name: value for name, value in values.items() if getattr(tier, name) != value}
    for name, value in changed.items():
        setattr(tier, name, value)
    if tier.rate_per_second and tier.burst and tier.burst > tier.rate_per_second * LONGEST_REFILL_SECONDS:
        why = "At this rate the burst would take more than a day to come back. Whoever means that means a quota."
        raise InvalidInputError.at("/burst", why)
    try:
        tier.full_clean(validate_unique=False)
    except ValidationError as error:
        errors = tuple(FieldError(f"/{name}", " ".join(texts)) for name, texts in error.message_dict.items())
        raise InvalidInputError("; ".join(e.detail for e in errors), errors=errors) from None
    try:
        with transaction.atomic():
            tier.save(force_insert=is_new)
    except IntegrityError:
        raise ConflictError("A tier with this code exists.") from None
    record(action=action, actor=actor, target=tier.code, reason=reason, details=changed)
    publish(type=action, subject=tier.code, tenant_id=None, data={"tier": tier.code, "fields": sorted(changed)})
    return tier


def register_cell(
    *,
    actor: Actor,
    code: str,
    environment: str,
    partition: str,
    region: str,
    account_id: str,
    role_arn: str = "",
    quotas: dict[str, int] | None = None,
    capabilities: dict[str, bool] | None = None,
    reason: str = "",
) -> Cell:
    """Write down a place where tenants may live; it takes none before it has been prepared. Raises InvalidInputError, ConflictError."""
    cell = Cell(
        code=code,
        environment=environment,
        partition=partition,
        region=region,
        account_id=account_id,
        role_arn=role_arn,
        quotas=quotas or {},
        capabilities=capabilities or {},
    )
    _check_cell(cell)
    with transaction.atomic():
        if Cell.objects.filter(code=code).exists():
            raise ConflictError("A cell with this code exists.")
        cell.save(force_insert=True)
        record(
            action="cell.registered",
            actor=actor,
            target=cell.pk,
            reason=reason,
            details={"code": code, "partition": partition, "region": region, "account_id": account_id},
        )
    return cell


def _check_cell(cell: Cell) -> None:
    unknown = sorted(set(cell.capabilities) - set(Capabilities.__slots__))
    if unknown:
        raise InvalidInputError("Unknown capabilities.", errors=(FieldError("/capabilities", f"unknown: {', '.join(unknown)}"),))
    try:
        naming.check_cell(facts_of_cell(cell))
    except naming.UnsafeNameError as error:
        raise InvalidInputError.at("/code", error.detail) from None
