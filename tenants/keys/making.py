"""Making a version: its row, its text, its way into the store, and its promotion. Issuing and rotating are both this.

    1. the pending row with the digest of its text                              one transaction
    2. the text into the store as AWSPENDING, read back                         outside any transaction
    3. the version becomes current, its predecessor previous                    one transaction: both verify from here on
    4. AWSCURRENT moves, AWSPENDING goes, read back; then the overlap begins    ``store.converge``, by us or by the clock

A crash before 3 leaves a version that nobody was ever given: the clock abandons it. A crash after 3 leaves one that verifies and is in the
store, as AWSPENDING, while the store still hands out its predecessor, which verifies as well: the clock does step 4. So whatever the
store hands out as current verifies at every moment. ``rotation.pml`` is a model of this and finds what breaks when it is done otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.transitions import IllegalTransitionError, change_state
from tenants.keys import claims, endings, life, store, tokens
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, Stage

CLAIM_LASTS = timedelta(seconds=120)
"""How long a maker may take between its pending row and the promotion: longer than its calls' time-outs together."""
SWITCH_LASTS = timedelta(hours=1)
"""How much longer than its overlap a predecessor verifies at most while the store cannot be moved: a bound for an outage of AWS."""


class SupersededError(ConflictError):
    """The key was changed while its new version was on its way into the store; the version was dropped, nothing was issued."""

    code = "key-changed-meanwhile"
    title = "The key was changed meanwhile"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key and its fresh version. ``text`` is shown once and then forgotten; empty when it was given out before, or never ours to show."""

    key: ApiKey
    version: KeyVersion
    text: str = field(repr=False)


def expiry(key: ApiKey, now: datetime, *, maker_ends_at: datetime | None) -> datetime:
    """When a version of this key that is made now will expire."""
    max_age = timedelta(days=key.tenant.tier.key_max_age_days)
    return life.expiry_of(now, max_age=max_age, key_ends_at=key.expires_at, maker_ends_at=maker_ends_at)


def write_pending(key: ApiKey, *, actor: Actor, number: int, maker_ends_at: datetime | None) -> tuple[KeyVersion, str]:
    """Write a pending version and give its text, which exists in this process alone. Call it inside a transaction that holds the key."""
    now = timezone.now()
    token = tokens.new_token(key.brand, key.environment, public_id=key.public_id)
    pepper_id = max(settings.KEY_PEPPERS)
    version = KeyVersion.objects.create(
        key=key,
        number=number,
        algorithm=Algorithm.OURS,
        pepper_id=pepper_id,
        digest=tokens.digest_of(token.text, settings.KEY_PEPPERS[pepper_id]),
        last_four=token.last_four,
        created_by=str(actor),
        issued_at=now,
        expires_at=expiry(key, now, maker_ends_at=maker_ends_at),
        claimed_until=now + CLAIM_LASTS,
    )
    return version, token.text


def carry_through(
    version: KeyVersion,
    text: str,
    *,
    actor: Actor,
    what: str,
    reason: str,
    overlap: timedelta | None = None,
    retire_when_quiet: bool = False,
    end_previous: bool = False,
) -> IssuedKey:
    """Take a pending version through steps 2 to 4. Raises KeyStoreError or SupersededError, after which the version is abandoned.

    Must not run inside a transaction. Once the promotion has committed nothing is raised any more: what is left is the clock's.
    """
    key = version.key
    place = store.place_of(key, actor)
    try:
        seen = store.put_pending(place, version, text)
        with transaction.atomic():
            _promote(version, overlap=overlap, retire_when_quiet=retire_when_quiet, end_previous=end_previous, actor=actor)
            details = {"version": version.pk, "number": version.number, "expires_at": version.expires_at}
            endings.tell(key, what, actor, reason, details)
    except Exception:
        abandon(version.pk, actor=actor)
        raise
    store.converge(key.pk, actor=actor, seen=seen)
    key.refresh_from_db()
    version.refresh_from_db()
    return IssuedKey(key, version, text)


def abandon(version_id: str, *, actor: Actor) -> bool:
    """Drop a pending version, and the key itself when this was to be its first; False when it is not pending any more."""
    with transaction.atomic():
        version = KeyVersion.objects.select_related("key").filter(pk=version_id).first()
        if version is None:
            return False
        key = lock(version.key_id)
        version.refresh_from_db()
        if version.stage != Stage.PENDING:
            return False
        if key.state == KeyState.ISSUING:
            endings.end(key, to=KeyState.ABANDONED, because="abandoned", actor=actor, reason="it was never issued")
        else:
            version.key = key
            endings.retire(version, because="abandoned", actor=actor)
    return True


def lock(key_id: str) -> ApiKey:
    """Give a key with its tenant, tier and cell, its row locked until the transaction ends."""
    return ApiKey.objects.select_for_update(of=("self",)).select_related("tenant__tier", "tenant__cell").get(pk=key_id)


def _promote(version: KeyVersion, *, overlap: timedelta | None, retire_when_quiet: bool, end_previous: bool, actor: Actor) -> None:
    now = timezone.now()
    key = lock(version.key_id)
    version.key = key
    if key.state not in (KeyState.ISSUING, KeyState.ACTIVE):
        raise SupersededError(f"The key is {key.state} now; no new version was issued.")
    if key.expires_at is not None and version.expires_at > key.expires_at:
        raise SupersededError("The key's own end has come nearer; no new version was issued.")
    current = KeyVersion.objects.select_related("key").filter(key=key, stage=Stage.CURRENT).first()
    if current is not None:
        _step_back(key, current, overlap, retire_when_quiet=retire_when_quiet, end_previous=end_previous, actor=actor, now=now)
    try:
        change_state(version, field="stage", to=Stage.CURRENT, sources=[Stage.PENDING], promoted_at=now, claimed_until=None)
    except IllegalTransitionError:
        raise SupersededError("The version took too long to reach the store and was dropped; no new version was issued.") from None
    if key.state == KeyState.ISSUING:
        change_state(key, to=KeyState.ACTIVE, sources=[KeyState.ISSUING])
    claims.unsettle(key)


def _step_back(
    key: ApiKey,
    current: KeyVersion,
    overlap: timedelta | None,
    *,
    retire_when_quiet: bool,
    end_previous: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """Make the current version previous, its overlap bounded at once and set exactly when the store has been moved."""
    if not life.accepts(life.Ends(current.stage, current.expires_at, None), now):
        raise SupersededError("The key expired meanwhile; an expired key is not rotated.")
    older = KeyVersion.objects.select_related("key").filter(key=key, stage=Stage.PREVIOUS).first()
    if older is not None:
        if not end_previous and life.accepts(life.Ends(older.stage, older.expires_at, older.retires_at), now):
            raise SupersededError("Another rotation of this key was first.")
        endings.retire(older, because="rotated", actor=actor)
    longest = timedelta(seconds=key.tenant.tier.key_overlap_seconds)
    held = life.overlap_of(overlap, longest=longest, left=current.expires_at - now)
    change_state(
        current,
        field="stage",
        to=Stage.PREVIOUS,
        sources=[Stage.CURRENT],
        overlap_seconds=int(held.total_seconds()),
        retires_at=min(current.expires_at, now + held + SWITCH_LASTS),
        retire_when_quiet=retire_when_quiet,
    )
    changes = {"rotate_due_at": None, "rotate_overlap_seconds": None}
    ApiKey.objects.filter(pk=key.pk).update(**changes)
