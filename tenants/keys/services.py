"""Acts on keys: issue, edit, disable, enable, revoke. Importing and rotating have modules of their own.

Each takes the tenant that the caller may act for, so that another tenant's key is not found rather than refused, and ``within``: the
strength of the key that asks, or None for operators and members. Issuing calls AWS and must not run inside a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor, ActorKind
from core.errors import ConflictError, FieldError, ForbiddenError, InvalidInputError
from core.statements import Insert
from core.transitions import change_state
from tenants.inputs import InvalidFieldError, clean_optional_reason, clean_reason
from tenants.keys import claims, endings, inputs, locking, making, selectors, store, tokens
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyState
from tenants.keys.permits import Holder, check_making, check_strength, strength_of, strength_of_wish
from tenants.keys.scopes import known_scopes
from tenants.lifecycle import SERVED
from tenants.models import Tenant
from tenants.selectors import get_tenant

EDITABLE = ("name", "scopes", "cidrs", "metadata", "expires_at", "rotate_every_days")
_insert_key = Insert(ApiKey)


class TenantNotServedError(ConflictError):
    """Keys are issued and rotated for active tenants only."""

    code = "tenant-not-active"
    title = "The tenant is not active"


class TooManyKeysError(ConflictError):
    """The tenant has as many living keys as it may have (``CONTROLPLANE_KEYS_PER_TENANT``). Revoke some first."""

    code = "too-many-keys"
    title = "The tenant has too many keys"


class DisabledByOperatorError(ForbiddenError):
    """An operator has disabled this key; only an operator enables it again."""

    code = "disabled-by-operator"
    title = "An operator has disabled the key"


class StaleKeyError(ConflictError):
    """Somebody else has changed the key since it was read."""

    code = "stale-revision"
    title = "The key was changed meanwhile"


def issue_key(
    *,
    actor: Actor,
    tenant_id: str,
    name: str,
    environment: str = "live",
    reference: str | None = None,
    reason: str = "",
    within: Holder | None = None,
    **fields: Any,
) -> IssuedKey:
    """Issue a key; the answer holds the only copy of its text that this product will ever show.

    ``fields`` are ``scopes``, ``cidrs``, ``metadata``, ``expires_at`` and ``rotate_every_days``. The same ``reference`` again gives the
    key that it made, without its text. Raises InvalidInputError, NotFoundError, TenantNotServedError, ForbiddenError (stronger than
    ``within``), KeyStoreError when Secrets Manager did not confirm it: nothing was issued then.
    """
    now, reason = timezone.now(), clean_optional_reason(reason)
    wish = inputs.clean(now, known_scopes=known_scopes(settings.KEY_SCOPES), name=name, environment=environment, **fields)
    if reference is not None and (known := selectors.find_by_reference(tenant_id, reference)) is not None:
        return known
    with transaction.atomic():
        key = new_key(tenant_id, wish, actor=actor, now=now, reference=reference, within=within)
        maker_ends_at = within.version_ends_at if within else None
        version, text = making.write_pending(key, actor=actor, number=1, maker_ends_at=maker_ends_at)
    return making.carry_through(version, text, actor=actor, what="key.issued", reason=reason)


def edit_key(
    *,
    actor: Actor,
    tenant_id: str,
    key_id: str,
    revision: int | None = None,
    reason: str = "",
    within: Holder | None = None,
    **fields: Any,
) -> ApiKey:
    """Change what a key is called, may do, from where, and when it ends; its end may only come nearer, and so do its versions' with it.

    Raises InvalidInputError, NotFoundError, StaleKeyError, ConflictError for a key that has ended, ForbiddenError.
    """
    if unknown := sorted(set(fields) - set(EDITABLE)):
        errors = tuple(FieldError(f"/{name}", "This cannot be changed.") for name in unknown)
        raise InvalidInputError("This cannot be changed.", errors=errors)
    reason = clean_optional_reason(reason)
    wish = inputs.clean(timezone.now(), known_scopes=known_scopes(settings.KEY_SCOPES), **fields)
    with transaction.atomic():
        key = _locked_living(tenant_id, key_id, within)
        if revision is not None and key.revision != revision:
            raise StaleKeyError("The key was changed by somebody else meanwhile.")
        check_strength(strength_of_wish(key, wish), within)
        changed = {name: value for name, value in wish.given.items() if getattr(key, name) != value}
        if "expires_at" in changed:
            _bring_nearer(key, changed["expires_at"])
        for name, value in changed.items():
            setattr(key, name, value)
        if changed:
            key.revision += 1
            key.save(update_fields=[*changed, "revision"])
            endings.tell(key, "key.changed", actor, reason, {"fields": sorted(changed)})
    return key


def disable_key(*, actor: Actor, tenant_id: str, key_id: str, reason: str, within: Holder | None = None) -> ApiKey:
    """Refuse a key until it is enabled again, from the commit on. Disabling a disabled one changes nothing."""
    return _switch(actor, tenant_id, key_id, clean_reason(reason), within, KeyState.DISABLED, KeyState.ACTIVE, "key.disabled")


def enable_key(*, actor: Actor, tenant_id: str, key_id: str, reason: str, within: Holder | None = None) -> ApiKey:
    """Accept a disabled key again, for what is left of its life. Enabling an active one changes nothing."""
    return _switch(actor, tenant_id, key_id, clean_reason(reason), within, KeyState.ACTIVE, KeyState.DISABLED, "key.enabled")


def revoke_key(*, actor: Actor, tenant_id: str, key_id: str, reason: str, within: Holder | None = None) -> ApiKey:
    """End a key for good, with all its versions, from the commit on; then schedule the deletion of its secret. Repeating it changes nothing.

    Must not run inside a transaction. Raises NotFoundError, ConflictError for a key that has ended in another way, ForbiddenError.
    """
    with transaction.atomic():
        key = _locked(tenant_id, key_id, within)
        if key.state == KeyState.REVOKED:
            return key
        endings.end(key, to=KeyState.REVOKED, because="revoked", actor=actor, reason=clean_reason(reason))
        hold = claims.take(key.pk)
    if hold is not None:
        key.store_state = store.settle(hold, store.place_of(key, actor))
    return key


def require_served(tenant: Tenant) -> None:
    """Raise TenantNotServedError unless the tenant is active."""
    if tenant.state not in SERVED:
        raise TenantNotServedError(f"This tenant is {tenant.state}; keys are issued and rotated only while it is active.")


def new_key(
    tenant_id: str, wish: inputs.Wish, *, actor: Actor, now: datetime, reference: str | None, within: Holder | None
) -> ApiKey:
    """Write the row of a key that is wished for, without a version. Call it inside a transaction.

    Raises NotFoundError, TenantNotServedError, TooManyKeysError, ForbiddenError (stronger than ``within``), ConflictError for a reference in use.
    """
    tenant = get_tenant(tenant_id)
    require_served(tenant)
    most = settings.KEYS_PER_TENANT
    if ApiKey.objects.filter(tenant=tenant, ended_at__isnull=True).order_by()[most - 1 : most].exists():
        raise TooManyKeysError(f"This tenant has {most} keys, which is as many as it may have. Revoke some first.")
    values: Mapping[str, Any] = {name: wish.get(name, getattr(ApiKey(), name)) for name in (*EDITABLE, "environment")}
    key = ApiKey(
        tenant=tenant,
        public_id=tokens.new_public_id(),
        brand=settings.KEY_BRAND,
        created_by=str(actor),
        created_at=now,
        reference=reference,
        **values,
    )
    if within is not None and key.expires_at is None:
        key.expires_at = within.version_ends_at
    check_making(strength_of(key), within)
    if reference is None:
        _insert_key(key)
        return key
    try:
        with transaction.atomic():
            _insert_key(key)
    except IntegrityError:
        raise ConflictError("Another request with this reference is making its key just now.", code="issuing") from None
    return key


def _is_operators(actor: str) -> bool:
    return actor.startswith(f"{ActorKind.OPERATOR}:")


def _bring_nearer(key: ApiKey, end: datetime | None) -> None:
    latest = key.expires_at or max(key.versions.filter(stage__in=endings.OPEN_STAGES).values_list("expires_at", flat=True))
    if end is None or (key.expires_at is not None and end > key.expires_at):
        raise InvalidFieldError.at("/expires_at", f"A key's end may only come nearer; it is {latest:%Y-%m-%dT%H:%M:%SZ}.")
    for version in key.versions.filter(stage__in=endings.OPEN_STAGES, expires_at__gt=end):
        version.expires_at = end
        version.retires_at = min(version.retires_at, end) if version.retires_at else None
        version.save(update_fields=["expires_at", "retires_at"])


def _switch(
    actor: Actor,
    tenant_id: str,
    key_id: str,
    reason: str,
    within: Holder | None,
    to: KeyState,
    source: KeyState,
    what: str,
) -> ApiKey:
    with transaction.atomic():
        key = _locked(tenant_id, key_id, within)
        if key.state != to:
            if to == KeyState.ACTIVE and _is_operators(key.disabled_by) and actor.kind is not ActorKind.OPERATOR:
                raise DisabledByOperatorError("An operator has disabled this key; ask the operators to enable it.")
            change_state(
                key, to=to, sources=[source], state_reason=reason, disabled_by=str(actor) if to == KeyState.DISABLED else ""
            )
            endings.tell(key, what, actor, reason, {})
    return key


def _locked(tenant_id: str, key_id: str, within: Holder | None) -> ApiKey:
    key = locking.lock_of_tenant(tenant_id, key_id)
    check_strength(strength_of(key), within)
    return key


def _locked_living(tenant_id: str, key_id: str, within: Holder | None) -> ApiKey:
    key = _locked(tenant_id, key_id, within)
    if key.state not in (KeyState.ACTIVE, KeyState.DISABLED):
        raise ConflictError(f"The key is {key.state}; it cannot be changed any more.", code="illegal-transition")
    return key
