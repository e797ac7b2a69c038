"""How versions and keys end. Nothing here can be taken back, and each ending is one transaction with its audit entry and event.

Call these inside a transaction that holds the key's row; whoever calls settles the store after the commit. A pending version keeps the time
of its maker's claim when it ends: until then the maker may still put something into the store, which is looked at once more afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import F
from django.utils import timezone

from core.actors import Actor
from core.audit.secrets import SecretInDetailsError, refuse_secrets
from core.audit.services import record
from core.outbox.services import publish
from core.transitions import IllegalTransitionError, change_state
from tenants.keys import claims
from tenants.keys.models import ApiKey, KeyState, KeyVersion, Stage, StoreState

EVENT_OF = {KeyState.REVOKED: "key.revoked", KeyState.EXPIRED: "key.expired", KeyState.ABANDONED: "key.abandoned"}
ENDS_FROM = {
    KeyState.REVOKED: (KeyState.ACTIVE, KeyState.DISABLED, KeyState.ISSUING),
    KeyState.EXPIRED: (KeyState.ACTIVE, KeyState.DISABLED),
    KeyState.ABANDONED: (KeyState.ISSUING,),
}
OPEN_STAGES = (Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS)


def retire(version: KeyVersion, *, because: str, actor: Actor, reason: str = "") -> None:
    """End one version: from the commit on it does not verify. Raises IllegalTransitionError when it has ended already."""
    change_state(version, field="stage", to=Stage.RETIRED, sources=OPEN_STAGES, retired_at=timezone.now(), retired_because=because)
    key = version.key
    claims.unsettle(key)
    tell(key, "key.version_retired", actor, reason, {"version": version.pk, "number": version.number, "because": because})


def end(key: ApiKey, *, to: KeyState, because: str, actor: Actor, reason: str = "") -> None:
    """End a key and all its versions. Raises IllegalTransitionError from a state in which it cannot end like this."""
    now = timezone.now()
    # Whoever asked with this reference was given nothing, and may ask again.
    also: dict[str, Any] = {"reference": None} if to == KeyState.ABANDONED else {}
    change_state(key, to=to, sources=ENDS_FROM[to], ended_at=now, state_reason=reason[:500], rotate_due_at=None, **also)
    KeyVersion.objects.filter(key=key, stage__in=OPEN_STAGES).update(stage=Stage.RETIRED, retired_at=now, retired_because=because)
    claims.unsettle(key)
    tell(key, EVENT_OF[to], actor, reason, {"because": because})


def revoke_many(keys: Sequence[ApiKey], *, because: str, actor: Actor, reason: str, **also: Any) -> None:
    """Revoke living keys, whoever's, whose rows the caller's transaction holds: :func:`end` for many, in two statements, each key told of.

    ``also`` is set in the same statement. Raises IllegalTransitionError when one of them has ended: the caller did not hold it.
    """
    if not keys:
        return
    now = timezone.now()
    ids = [key.pk for key in keys]
    KeyVersion.objects.filter(key__in=ids, stage__in=OPEN_STAGES).update(
        stage=Stage.RETIRED, retired_at=now, retired_because=because
    )
    ended = ApiKey.objects.filter(pk__in=ids, state__in=ENDS_FROM[KeyState.REVOKED]).update(
        state=KeyState.REVOKED,
        ended_at=now,
        state_reason=reason[:500],
        rotate_due_at=None,
        store_state=StoreState.UNSETTLED,
        store_generation=F("store_generation") + 1,
        store_due_at=now,
        store_failures=0,
        store_error="",
        **also,
    )
    if ended != len(ids):
        raise IllegalTransitionError("One of these keys has ended meanwhile.")
    for key in keys:
        tell(key, EVENT_OF[KeyState.REVOKED], actor, reason, {"because": because})


def end_all(tenant_id: str, *, because: str, actor: Actor, reason: str) -> int:
    """End every key of a tenant that is being removed, in a fixed number of statements; gives how many. The store follows by the clock.

    The keys' rows first, as everybody else does: a promotion that holds its key and asks for the versions would wait for us, and we for
    it. So the versions are also found as the last of those that held a key has left them.
    """
    now = timezone.now()
    ended = ApiKey.objects.filter(tenant_id=tenant_id, ended_at__isnull=True).update(
        state=KeyState.REVOKED,
        ended_at=now,
        state_reason=reason[:500],
        rotate_due_at=None,
        store_state=StoreState.UNSETTLED,
        store_generation=F("store_generation") + 1,
        store_due_at=now,
    )
    KeyVersion.objects.filter(key__tenant_id=tenant_id, stage__in=OPEN_STAGES).update(
        stage=Stage.RETIRED, retired_at=now, retired_because=because
    )
    if ended:
        details = {"keys": ended, "because": because}
        record(action="keys.revoked", actor=actor, target=tenant_id, tenant_id=tenant_id, reason=reason, details=details)
        publish(type="keys.revoked", subject=tenant_id, tenant_id=tenant_id, data={"tenant": tenant_id, **details})
    return ended


def _shown(name: str) -> str:
    """A name is refused at the door when it looks like a secret; one that only looks so since must not keep a leak from being contained."""
    try:
        refuse_secrets(name)
    except SecretInDetailsError:
        return "[not shown]"
    return name


def tell(key: ApiKey, what: str, actor: Actor, reason: str, details: dict[str, object]) -> None:
    """Write the audit entry and the event of something that happened to a key."""
    about = {"name": _shown(key.name), "prefix": f"{key.brand}_{key.environment}_{key.public_id}", **details}
    record(action=what, actor=actor, target=key.pk, tenant_id=key.tenant_id, reason=reason, details=about)
    publish(type=what, subject=key.pk, tenant_id=key.tenant_id, data={"key": key.pk, "tenant": key.tenant_id, **about})
