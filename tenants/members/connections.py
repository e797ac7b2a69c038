"""Acts on a tenant's own identity provider, as far as rows go: keep it, note a try, switch it on and off, forget it.

That the user pool follows is ``provisioning.connections``'s, which calls :func:`keep` and :func:`forget` in the transaction of its operation.
Only an owner acts, or an operator; ``mark`` is what the caller saw. On means: everybody but the owners comes in through the provider. Owners
keep their passwords, so that a provider that fails locks nobody out for good.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core.actors import Actor, ActorKind
from core.audit.services import record
from core.errors import ConflictError, ForbiddenError, NotFoundError
from core.outbox.services import publish
from tenants.ciphers import SealBrokenError, unseal
from tenants.inputs import clean_optional_reason
from tenants.members.connection_details import digest_of
from tenants.members.connection_inputs import SECRET_PURPOSE, Typed, read
from tenants.members.models import Connection, ConnectionKind, Member, MemberState, Role, new_mark
from tenants.models import Tenant

GOOD = "good"


class StaleConnectionError(ConflictError):
    """Somebody else has changed the connection since it was read."""

    code = "stale-revision"
    title = "The connection was changed meanwhile"


def find(tenant_id: str) -> Connection | None:
    """Give a tenant's connection, on or not."""
    return Connection.objects.filter(tenant_id=tenant_id).first()


def find_on(tenant: Tenant) -> Connection | None:
    """Give the connection through which a tenant's people sign in now; None while passwords are the way, or the tier allows no other."""
    return Connection.objects.filter(tenant=tenant, is_on=True).first() if tenant.tier.sso_allowed else None


def keep(*, actor: Actor, tenant: Tenant, mark: str, typed: Typed) -> Connection:
    """Write what was typed, under a new mark; what was on is off with it. Call it in the transaction of the operation, the tenant's row held.

    Raises InvalidInputError with every bad field named, StaleConnectionError, ForbiddenError, ConflictError where the tier allows none.
    """
    require_owner(actor, tenant.pk)
    if not tenant.tier.sso_allowed:
        raise ConflictError("Your tier has no sign-in through an identity provider of your own.", code="not-in-tier")
    row = Connection.objects.select_for_update().filter(tenant=tenant).first()
    require_same(row, mark)
    clean = read(typed, row)
    was_on = row is not None and row.is_on
    now = timezone.now()
    values = {**clean, "mark": new_mark(), "is_on": False, "saved_at": now, "refused": ""}
    if was_on:
        values["switched_at"] = now
    row, _ = Connection.objects.update_or_create(tenant=tenant, defaults=values)
    _tell_engine(tenant, row)
    _tell(tenant.pk, "connection.saved", actor, kind=row.kind, was_on=was_on)
    return row


def forget(*, actor: Actor, tenant: Tenant, reason: str) -> bool:
    """Delete a tenant's connection with its secret; False when there was none. Call it as :func:`keep`; who may is the caller's to ask."""
    row = Connection.objects.select_for_update().filter(tenant=tenant).first()
    if row is None:
        return False
    was_on, kind = row.is_on, row.kind
    row.delete()
    tenant.identity_provider = {}
    Tenant.objects.filter(pk=tenant.pk).update(identity_provider={})
    _tell(tenant.pk, "connection.removed", actor, reason, kind=kind, was_on=was_on)
    return True


def take_back(*, actor: Actor, tenant: Tenant, why: str) -> bool:
    """Note that the pool refused a tenant's details, and have the engine know of none; False when it knows of none already.

    The row stays, so that an owner can mend what they typed. Call it inside a transaction.
    """
    if not Tenant.objects.filter(pk=tenant.pk).exclude(identity_provider={}).update(identity_provider={}):
        return False
    tenant.identity_provider = {}
    row = Connection.objects.select_for_update().filter(tenant=tenant).first()
    if row is not None:
        was_on, row.is_on, row.good_mark, row.refused = row.is_on, False, "", why[:100]
        row.save(update_fields=["is_on", "good_mark", "refused"])
        _tell(tenant.pk, "connection.refused", actor, kind=row.kind, why=row.refused, was_on=was_on)
    return True


@transaction.atomic
def note_try(*, actor: Actor, tenant_id: str, mark: str, outcome: str) -> Connection:
    """Write down how a try went: ``good``, or a slug of what was wrong. Raises StaleConnectionError when another connection was tried."""
    row = _locked(actor, tenant_id, mark)
    row.tried_mark, row.tried_at, row.tried_by, row.tried_outcome = row.mark, timezone.now(), str(actor), outcome[:64]
    if outcome == GOOD:
        row.good_mark = row.mark
    row.save(update_fields=["tried_mark", "tried_at", "tried_by", "tried_outcome", "good_mark"])
    record(
        action="connection.tried",
        actor=actor,
        target=tenant_id,
        tenant_id=tenant_id,
        outcome="succeeded" if outcome == GOOD else "refused",
        details={"kind": row.kind, "why": outcome},
    )
    return row


@transaction.atomic
def switch_on(*, actor: Actor, tenant_id: str, mark: str, reason: str = "") -> Connection:
    """Send everybody but owners to the provider from now on; sessions of now go on. Raises ConflictError unless this very connection was tried.

    Repeating it changes nothing.
    """
    reason = clean_optional_reason(reason)
    row = _locked(actor, tenant_id, mark)
    if not row.tenant.tier.sso_allowed:
        raise ConflictError("Your tier has no sign-in through an identity provider of your own.", code="not-in-tier")
    if row.good_mark != row.mark or row.refused:
        raise ConflictError("Try the connection first: it is switched on after a try that went well.", code="not-tried")
    if not row.is_on:
        _switch(row, True, actor, reason)
    return row


@transaction.atomic
def switch_off(*, actor: Actor, tenant_id: str, mark: str | None = None, reason: str = "") -> Connection:
    """Fall back: passwords let everybody in again, from now on. Repeating it changes nothing. Raises NotFoundError without a connection."""
    reason = clean_optional_reason(reason)
    row = _locked(actor, tenant_id, mark)
    if row.is_on:
        _switch(row, False, actor, reason)
    return row


def fall_back(*, actor: Actor, tenant_ids: list[str], reason: str) -> int:
    """Switch off what no longer holds, because the tier or the pool under it changes, and have it tried anew. Call it inside a transaction."""
    rows = list(Connection.objects.select_for_update().filter(tenant_id__in=tenant_ids).order_by("pk"))
    Connection.objects.filter(pk__in=[row.pk for row in rows]).exclude(good_mark="").filter(is_on=False).update(good_mark="")
    on = [row for row in rows if row.is_on]
    for row in on:
        _switch(row, False, actor, reason, forget_try=True)
    return len(on)


def details_for_pool(tenant_id: str, mark: str) -> dict[str, str]:
    """Give all that Cognito is told of a provider, the client secret too, which nobody else ever asks for. Raises ConflictError.

    ``mark`` is what the step was planned for: another connection is another step's.
    """
    row = find(tenant_id)
    if row is None or not constant_time_compare(row.mark, mark):
        raise ConflictError("The connection was changed meanwhile: this is planned anew.", code="connection-changed")
    if row.kind != ConnectionKind.OIDC:
        return dict(row.details)
    try:
        secret = unseal(row.secret, purpose=SECRET_PURPOSE).decode()
    except SealBrokenError:
        raise ConflictError(
            "The client secret was kept under a key that is gone: it has to be entered anew.", code="secret-gone"
        ) from None
    return {**row.details, "client_secret": secret}


def require_owner(actor: Actor, tenant_id: str) -> None:
    """Raise ForbiddenError unless the actor is one of the tenant's owners as the rows say now, an operator, or the product itself."""
    if actor.kind in (ActorKind.OPERATOR, ActorKind.SYSTEM):
        return
    owners = Member.objects.filter(tenant_id=tenant_id, role=Role.OWNER, state=MemberState.ACTIVE)
    if actor.kind != ActorKind.MEMBER or not owners.filter(pk=actor.id).exists():
        raise ForbiddenError("Only an owner may do this.")


def require_same(row: Connection | None, mark: str | None) -> None:
    """Raise StaleConnectionError unless the caller saw the connection as it is; an empty mark says that there was none."""
    if mark is not None and mark != (row.mark if row is not None else ""):
        raise StaleConnectionError("The connection was changed by somebody else meanwhile.")


def mapping_of(row: Connection) -> dict[str, str]:
    """Give what of the provider's answer reaches the pool: the address and, over OpenID Connect, the name.

    Never a ``custom:`` attribute, by which a provider could say whose person somebody is.
    """
    name = {"name": "name"} if row.kind == ConnectionKind.OIDC else {}
    return {"email": row.email_claim, **name}


def _locked(actor: Actor, tenant_id: str, mark: str | None) -> Connection:
    require_owner(actor, tenant_id)
    rows = Connection.objects.select_for_update(of=("self",)).select_related("tenant__tier")
    row = rows.filter(tenant_id=tenant_id).first()
    if row is None and mark is None:
        raise NotFoundError("There is no connection.")
    require_same(row, mark)
    if row is None:
        raise NotFoundError("There is no connection.")
    return row


def _switch(row: Connection, on: bool, actor: Actor, reason: str, *, forget_try: bool = False) -> None:
    row.is_on, row.switched_at = on, timezone.now()
    if forget_try:
        row.good_mark = ""
    row.save(update_fields=["is_on", "switched_at", "good_mark"])
    _tell(row.tenant_id, "connection.switched_on" if on else "connection.switched_off", actor, reason, kind=row.kind)


def _tell_engine(tenant: Tenant, row: Connection) -> None:
    keys = sorted(row.details)
    known = {
        "kind": row.kind,
        "mark": row.mark,
        "detail_keys": keys,
        "digest": digest_of(row.details, keys),
        "mapping": mapping_of(row),
    }
    tenant.identity_provider = known
    Tenant.objects.filter(pk=tenant.pk).update(identity_provider=known)


def _tell(tenant_id: str, what: str, actor: Actor, reason: str = "", **details: object) -> None:
    record(action=what, actor=actor, target=tenant_id, tenant_id=tenant_id, reason=reason, details=details)
    publish(type=what, subject=tenant_id, tenant_id=tenant_id, data={"tenant": tenant_id, **details})
