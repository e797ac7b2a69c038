"""Rotating a key, and ending the overlap. A rotation gives a key a new text; the visible start, the scopes and the end of the key stay.

Refused with the reason: a key that is disabled, revoked or expired, one whose last rotation is still under way, and one whose previous
version still works, unless the caller says that it may go. The overlap is the least of what was asked, the tier's maximum, and what is
left of the predecessor's own life, which nothing extends.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.transitions import IllegalTransitionError
from tenants.inputs import clean_optional_reason, clean_reason
from tenants.keys import endings, inputs, life, locking, making, selectors, store
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyState, KeyVersion, Stage
from tenants.keys.permits import Holder, check_strength, strength_of
from tenants.keys.services import require_served
from tenants.keys.store import KeyStoreError


class NotRotatableError(ConflictError):
    """A key that is disabled, revoked or expired is not rotated: a rotation would bring it back."""

    code = "key-not-rotatable"
    title = "The key cannot be rotated"


class RotationOpenError(ConflictError):
    """The last rotation of this key is not over: wait for it, or say that its predecessor may go at once."""

    code = "rotation-open"
    title = "The last rotation is not over"


class AlreadyRotatedError(ConflictError):
    """The version that was to be replaced is not the current one any more: the rotation has been done, by this caller or another."""

    code = "already-rotated"
    title = "The key was rotated meanwhile"


class StoreBehindError(KeyStoreError):
    """The store still hands out the predecessor, so that the predecessor cannot go, nor another version come, before it has followed."""


def rotate_key(
    *,
    actor: Actor,
    tenant_id: str,
    key_id: str,
    overlap: timedelta | None = None,
    retire_when_quiet: bool = False,
    end_previous: bool = False,
    successor_of: str = "",
    reason: str = "",
    within: Holder | None = None,
) -> IssuedKey:
    """Give a key a new version, and its predecessor an overlap in which both verify; the answer holds the only copy of the text.

    ``overlap`` None asks for the tier's maximum, zero for none: the predecessor then ends as soon as the store hands out its successor.
    ``retire_when_quiet`` lets it end earlier, by evidence. ``successor_of`` is the id of the version that the caller saw as current: a
    request that comes again, or late, is refused with AlreadyRotatedError instead of rotating its own successor. Must not run inside a
    transaction. Raises NotFoundError, NotRotatableError, RotationOpenError, AlreadyRotatedError, TenantNotServedError, InvalidInputError,
    KeyTooStrongError, and KeyStoreError (or its StoreBehindError): no version was issued then.
    """
    overlap, reason = inputs.clean_overlap(overlap), clean_optional_reason(reason)
    begin = partial(_begin, actor, tenant_id, key_id, successor_of=successor_of, end_previous=end_previous, within=within)
    try:
        version, text = begin()
    except StoreBehindError:
        _catch_up(tenant_id, key_id, actor)
        version, text = begin()
    return making.carry_through(
        version,
        text,
        actor=actor,
        what="key.rotated",
        reason=reason,
        overlap=overlap,
        retire_when_quiet=retire_when_quiet,
        end_previous=end_previous,
    )


def retire_previous(*, actor: Actor, tenant_id: str, key_id: str, reason: str, within: Holder | None = None) -> ApiKey:
    """End the overlap now: the predecessor is refused from the commit on. Must not run inside a transaction.

    Raises ConflictError when there is none, and StoreBehindError while the store still hands it out: whoever asked there would be refused.
    Revoking the key waits for nothing.
    """
    end = partial(_end_previous, actor, tenant_id, key_id, reason=clean_reason(reason), within=within)
    try:
        key = end()
    except StoreBehindError:
        _catch_up(tenant_id, key_id, actor)
        key = end()
    store.converge(key.pk, actor=actor)
    key.refresh_from_db()
    return key


def retire_if_over(version_id: str, *, because: str, actor: Actor) -> bool:
    """End a previous version whose overlap is over; False when somebody else has. The store follows."""
    with transaction.atomic():
        version = KeyVersion.objects.select_related("key").get(pk=version_id)
        version.key = locking.lock(version.key_id)
        version.refresh_from_db(fields=["stage"])
        if version.stage != Stage.PREVIOUS:
            return False
        endings.retire(version, because=because, actor=actor)
    store.converge(version.key_id, actor=actor)
    return True


def _require_current(key: ApiKey, version_id: str) -> None:
    if version_id and not KeyVersion.objects.filter(key=key, pk=version_id, stage=Stage.CURRENT).exists():
        raise AlreadyRotatedError("The key was rotated meanwhile; the version that you saw is not the current one any more.")


def _begin(
    actor: Actor, tenant_id: str, key_id: str, *, successor_of: str, end_previous: bool, within: Holder | None
) -> tuple[KeyVersion, str]:
    with transaction.atomic():
        key = locking.lock_of_tenant(tenant_id, key_id)
        check_strength(strength_of(key), within)
        require_served(key.tenant)
        _require_current(key, successor_of)
        _require_rotatable(key, end_previous=end_previous, actor=actor)
        number = (key.versions.aggregate(last=Max("number"))["last"] or 0) + 1
        maker_ends_at = within.version_ends_at if within else None
        return making.write_pending(key, actor=actor, number=number, maker_ends_at=maker_ends_at)


def _end_previous(actor: Actor, tenant_id: str, key_id: str, *, reason: str, within: Holder | None) -> ApiKey:
    with transaction.atomic():
        key = locking.lock_of_tenant(tenant_id, key_id)
        check_strength(strength_of(key), within)
        versions = {version.stage: version for version in KeyVersion.objects.filter(key=key, stage__in=endings.OPEN_STAGES)}
        previous = versions.get(Stage.PREVIOUS)
        if previous is None:
            raise ConflictError("This key has no previous version.", code="illegal-transition")
        _require_followed(key, versions.get(Stage.CURRENT))
        previous.key = key
        endings.retire(previous, because="retired", actor=actor, reason=reason)
    return key


def _catch_up(tenant_id: str, key_id: str, actor: Actor) -> None:
    """Have the store follow the last rotation, which a crash or an outage has kept it from."""
    store.converge(selectors.get_key(tenant_id, key_id).pk, actor=actor)


def _require_followed(key: ApiKey, current: KeyVersion | None) -> None:
    if current is not None and not store.has_followed(key, current):
        raise StoreBehindError("The key store does not hand out the current version yet. Try again in a moment.")


def _require_rotatable(key: ApiKey, *, end_previous: bool, actor: Actor) -> None:
    """Raise unless the key can be rotated now; a pending version whose maker has died is dropped on the way."""
    now = timezone.now()
    if key.state != KeyState.ACTIVE:
        raise NotRotatableError(f"This key is {key.state}; a rotation would bring it back.")
    versions = {version.stage: version for version in KeyVersion.objects.filter(key=key, stage__in=endings.OPEN_STAGES)}
    current, pending, previous = (versions.get(stage) for stage in (Stage.CURRENT, Stage.PENDING, Stage.PREVIOUS))
    if current is None:
        raise IllegalTransitionError("This key has no current version.")
    if now >= current.expires_at or (key.expires_at is not None and now + life.SHORTEST_LIFE >= key.expires_at):
        raise NotRotatableError("This key has expired, or is about to; a rotation would bring it back.")
    if pending is not None:
        if pending.claimed_until is None or pending.claimed_until > now:
            raise RotationOpenError("A rotation of this key is under way.")
        pending.key = key
        endings.retire(pending, because="abandoned", actor=actor)
    _require_followed(key, current)
    if previous is not None and not end_previous:
        until = previous.retires_at or previous.expires_at
        if now < until:
            raise RotationOpenError(
                f"The previous version still works until {until:%Y-%m-%dT%H:%M:%SZ}; retire it first, or say that it may go."
            )
