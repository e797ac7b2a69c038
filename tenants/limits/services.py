"""Acts on limits: override one of a tier's numbers for a tenant, take that back, limit one key, and end what has expired.

Each checks, changes, audits and publishes in one transaction. Who comes second learns it: the caller says which override, or which revision,
it has seen.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor, system
from core.audit.services import record
from core.errors import ConflictError
from core.outbox.services import publish
from core.transitions import IllegalTransitionError, change_state
from tenants.inputs import clean_reason
from tenants.keys.endings import tell
from tenants.keys.locking import lock_of_tenant
from tenants.keys.models import ApiKey
from tenants.lifecycle import TenantState
from tenants.limits import inputs, selectors
from tenants.limits.effective import KeyLimits
from tenants.limits.models import KeyLimit, LimitOverride, OverrideState
from tenants.models import Tenant
from tenants.selectors import lock_tenant

BATCH = 200
EXPIRED = "Its time was over."


class StaleLimitError(ConflictError):
    """Somebody else has changed this limit since it was read."""

    code = "stale-limit"
    title = "The limit was changed meanwhile"


class TenantClosedError(ConflictError):
    """A tenant that is gone has no limits."""

    code = "tenant-closed"
    title = "The tenant is closed"


def set_override(
    *,
    actor: Actor,
    tenant_id: str,
    limited: str,
    value: int,
    reason: str,
    expires_at: datetime | None = None,
    replaces: str | None = None,
) -> LimitOverride:
    """Replace one of the tier's numbers for one tenant, from the commit on, until ``expires_at`` or for good.

    An open override of the same limit is replaced. ``replaces`` is the id of the one that the caller has seen, empty for none: with another
    in its place StaleLimitError is raised. None takes whatever is there. Raises InvalidInputError, NotFoundError, TenantClosedError.
    """
    now, clean_limited = timezone.now(), inputs.clean_limited(limited)
    override = LimitOverride(
        tenant_id=tenant_id,
        limited=clean_limited.value,
        value=inputs.clean_value(clean_limited, value),
        reason=clean_reason(reason),
        set_by=str(actor),
        set_at=now,
        expires_at=inputs.clean_expiry(expires_at, now),
    )
    with transaction.atomic():
        tenant = _locked_tenant(tenant_id)
        before = LimitOverride.objects.filter(tenant=tenant, limited=clean_limited.value, state=OverrideState.OPEN).first()
        if replaces is not None and replaces != (before.pk if before else ""):
            raise StaleLimitError("Another override of this limit was set or ended meanwhile.")
        details: dict[str, Any] = {"limited": override.limited, "value": override.value, "expires_at": override.expires_at}
        if before is not None:
            _end(before, to=OverrideState.REPLACED, actor=actor, reason=override.reason)
            details["replaces"] = before.pk
        try:
            with transaction.atomic():
                override.save(force_insert=True)
        except IntegrityError:
            raise StaleLimitError("Another override of this limit was set meanwhile.") from None
        _tell(override, "limit.overridden", actor, override.reason, details)
    return override


def revoke_override(*, actor: Actor, tenant_id: str, override_id: str, reason: str) -> LimitOverride:
    """End an override: from the commit on the tier's number holds again. Raises NotFoundError, StaleLimitError when it has ended already."""
    reason = clean_reason(reason)
    with transaction.atomic():
        override = selectors.get_override(tenant_id, override_id)
        try:
            _end(override, to=OverrideState.REVOKED, actor=actor, reason=reason)
        except IllegalTransitionError as error:
            raise StaleLimitError(error.detail) from None
        _tell(override, "limit.override_revoked", actor, reason, {"limited": override.limited, "value": override.value})
    return override


def end_expired() -> int:
    """Close the overrides whose time is over, each in a transaction of its own; gives how many.

    They have not been counting since their end; this tells whoever has written the numbers down elsewhere. Repeatable, and safe to run twice.
    """
    now, ended = timezone.now(), 0
    due = LimitOverride.objects.filter(state=OverrideState.OPEN, expires_at__lte=now).order_by("expires_at")
    for override in list(due[:BATCH]):
        try:
            with transaction.atomic():
                _end(override, to=OverrideState.EXPIRED, actor=system("limits"), reason=EXPIRED)
                details = {"limited": override.limited, "value": override.value}
                _tell(override, "limit.override_expired", system("limits"), EXPIRED, details)
        except IllegalTransitionError:  # replaced or revoked in this moment
            continue
        ended += 1
    return ended


def set_key_limit(
    *, actor: Actor, tenant_id: str, key_id: str, reason: str, revision: int | None = None, **values: int | None
) -> KeyLimit:
    """Set all of a key's own limits, from the commit on; what is left out or None does not limit. Its tenant's hold besides.

    ``revision`` is what the caller has seen, 0 for a key without limits of its own: with another one StaleLimitError is raised. Raises
    InvalidInputError with every bad field named, NotFoundError, ConflictError for a key that has ended.
    """
    clean, reason, now = inputs.clean_key_limits(values), clean_reason(reason), timezone.now()
    with transaction.atomic():
        key = _locked_key(tenant_id, key_id)
        known = KeyLimit.objects.filter(pk=key.pk).first()
        if revision is not None and revision != (known.revision if known is not None else 0):
            raise StaleLimitError("The limits of this key were changed meanwhile.")
        before = selectors.limits_of_key_row(known) if known is not None else KeyLimits()
        row = _write_key_limit(key, known, {"set_by": str(actor), "set_at": now, **asdict(clean)})
        changed = {name: value for name, value in asdict(clean).items() if value != getattr(before, name)}
        tell(key, "key.limited", actor, reason, changed)
    return row


def _write_key_limit(key: ApiKey, row: KeyLimit | None, values: dict[str, Any]) -> KeyLimit:
    if row is None:
        return KeyLimit.objects.create(key=key, **values)
    # The key's row is held, so nobody has changed this one since it was read.
    KeyLimit.objects.filter(pk=row.pk).update(revision=row.revision + 1, **values)
    return KeyLimit.objects.get(pk=row.pk)


def _end(override: LimitOverride, *, to: OverrideState, actor: Actor, reason: str) -> None:
    change_state(
        override, to=to, sources=[OverrideState.OPEN], ended_at=timezone.now(), ended_by=str(actor), ended_reason=reason[:500]
    )


def _tell(override: LimitOverride, what: str, actor: Actor, reason: str, details: dict[str, Any]) -> None:
    tenant_id = override.tenant_id
    record(action=what, actor=actor, target=override.pk, tenant_id=tenant_id, reason=reason, details=details)
    publish(type=what, subject=override.pk, tenant_id=tenant_id, data={"override": override.pk, "tenant": tenant_id, **details})


def _locked_tenant(tenant_id: str) -> Tenant:
    tenant = lock_tenant(tenant_id)
    if tenant.state == TenantState.CLOSED:
        raise TenantClosedError("A closed tenant has no limits.")
    return tenant


def _locked_key(tenant_id: str, key_id: str) -> ApiKey:
    key = lock_of_tenant(tenant_id, key_id)
    if not key.is_living:
        raise ConflictError("This key has ended; it has no limits.")
    return key
