"""Making a version: its row, its text, its way into the store, and its promotion. Issuing and rotating are both this.

    1. the pending row with the digest of its text                              one transaction
    2. the text into the store as AWSPENDING, read back                         outside any transaction
    3. the version becomes current, its predecessor previous                    one transaction: both verify from here on
    4. AWSCURRENT moves, AWSPENDING goes, read back; then the overlap begins    ``store.converge``, by us or by the clock

A crash before 3 leaves a version that nobody was ever given: the clock abandons it. A crash after 3 leaves one that verifies and is in the
store, as AWSPENDING, while the store still hands out its predecessor, which verifies as well: the clock does step 4. So whatever the
store hands out as current verifies at every moment. One exception: AWS itself puts AWSCURRENT onto the first text of a secret, so that between
2 and 3 it can be fetched and does not verify yet; nobody was told of it. ``rotation.pml`` is a model of all this and finds what breaks
when it is done otherwise.

No rotation begins before the store has followed the last one, and whatever ends a version whose maker may be at work has the store looked
at once more when that maker's claim is over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError, NotFoundError
from core.statements import Insert, Update
from tenants.keys import claims, endings, life, staging, store, tokens
from tenants.keys.claims import Hold
from tenants.keys.models import NEVER_GIVEN, Algorithm, ApiKey, KeyState, KeyVersion, Stage
from tenants.keys.permits import check_time_left

logger = logging.getLogger(__name__)

CLAIM_LASTS = timedelta(seconds=120)
"""How long a maker may take between its pending row and the promotion: longer than its calls' time-outs together."""
SWITCH_LASTS = timedelta(hours=1)
"""How much longer than its overlap a predecessor verifies at most while the store cannot be moved: a bound for an outage of AWS."""

_insert_version = Insert(KeyVersion)
_update_version = Update(KeyVersion, "id", "stage")
_update_key = Update(ApiKey, "id")


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
    """Write a pending version and give its text, which exists in this process alone. Call it inside a transaction that holds the key.

    Raises IntegrityError when the key has a pending version already, KeyTooStrongError when the version that asks is about to end.
    """
    now = timezone.now()
    check_time_left(maker_ends_at, now)
    token = tokens.new_token(key.brand, key.environment, public_id=key.public_id)
    pepper_id = max(settings.KEY_PEPPERS)
    version = KeyVersion(
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
    _insert_version(version)
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
    place = store.place_of(version.key, actor)
    try:
        seen = store.put_pending(place, version, text)
        with transaction.atomic():
            hold = _promote(version, overlap=overlap, retire_when_quiet=retire_when_quiet, end_previous=end_previous, actor=actor)
            details = {"version": version.pk, "number": version.number, "expires_at": version.expires_at}
            endings.tell(version.key, what, actor, reason, details)
    except Exception as error:
        _give_up(version, actor=actor, is_answered=not store.is_answer_lost(error))
        raise
    if hold is not None:
        try:
            version.key.store_state = store.settle(hold, place, seen=seen)
        except Exception:
            # Promoted is promoted: whoever waits for the text must have it. The claim runs out and the clock settles.
            logger.exception("a key's secret was not settled", extra={"key": version.key_id})
    return IssuedKey(version.key, version, text)


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


def _give_up(version: KeyVersion, *, actor: Actor, is_answered: bool) -> None:
    """Drop our own version, after our last call to the store.

    If somebody else has ended it meanwhile, the store may have been looked at before our calls arrived there, so it is looked at again.
    When all of them were answered (``is_answered``), nothing of ours can arrive any more, and nobody need wait for the end of our claim.
    """
    with transaction.atomic():
        if not abandon(version.pk, actor=actor):
            claims.unsettle(lock(version.key_id))
        if is_answered:
            KeyVersion.objects.filter(pk=version.pk, stage=Stage.RETIRED).update(claimed_until=None)


def lock(key_id: str) -> ApiKey:
    """Give a key with its tenant, tier and cell, its row locked until the transaction ends."""
    return _locked().get(pk=key_id)


def lock_of_tenant(tenant_id: str, key_id: str) -> ApiKey:
    """As :func:`lock`, for a key that one tenant's caller names; raises NotFoundError as ``selectors.get_key`` does."""
    key = _locked().filter(pk=key_id, tenant_id=tenant_id).exclude(state__in=NEVER_GIVEN).first()
    if key is None:
        raise NotFoundError("There is no such key.")
    return key


def _locked() -> QuerySet[ApiKey]:
    return ApiKey.objects.select_for_update(of=("self",)).select_related("tenant__tier", "tenant__cell")


def _promote(
    version: KeyVersion, *, overlap: timedelta | None, retire_when_quiet: bool, end_previous: bool, actor: Actor
) -> Hold | None:
    """Make a version current, and give the claim on the key's secret, or None when somebody else holds it, who will see to this as well."""
    now = timezone.now()
    key = version.key
    _lock_again(key)
    if key.state not in (KeyState.ISSUING, KeyState.ACTIVE):
        raise SupersededError(f"The key is {key.state} now; no new version was issued.")
    # The first version of a key has nothing beside it, and its end cannot have come nearer: nobody knew of the key.
    others, again_at = _read_others(version, now) if version.number > 1 else ({}, None)
    if Stage.CURRENT in others:
        step = _Step(overlap, retire_when_quiet, end_previous, actor, now)
        _step_back(key, others[Stage.CURRENT], others.get(Stage.PREVIOUS), step)
    changes = {"stage": Stage.CURRENT, "promoted_at": now, "claimed_until": None}
    if _update_version(version.pk, Stage.PENDING, **changes) != 1:
        raise SupersededError("The version took too long to reach the store and was dropped; no new version was issued.")
    for name, value in changes.items():
        setattr(version, name, value)
    columns, is_mine = claims.unsettle_and_take(key, now)
    # Not settled at any time until the store has followed this: ``store.has_followed`` asks for it.
    columns |= {"state": KeyState.ACTIVE, "rotate_due_at": None, "rotate_overlap_seconds": None, "store_settled_at": None}
    _update_key(key.pk, **columns)
    for name, value in columns.items():
        setattr(key, name, value)
    if not is_mine:
        return None
    predecessor = others.get(Stage.CURRENT)
    stages = [(version.pk, "current")]
    if predecessor is not None and predecessor.algorithm == Algorithm.OURS:
        stages.append((predecessor.pk, "previous"))
    wanted = staging.wanted_stages(stages)
    until, is_switching = now + claims.CLAIM_LASTS, predecessor is not None
    return Hold(key, key.store_claim, until, key.store_generation, wanted, is_switching=is_switching, again_at=again_at)


@dataclass(frozen=True, slots=True)
class _Step:
    """How a predecessor steps back."""

    overlap: timedelta | None
    retire_when_quiet: bool
    end_previous: bool
    actor: Actor
    now: datetime


def _lock_again(key: ApiKey) -> None:
    """Hold the row of a key that was read before AWS was called, and read again what may have changed."""
    names = ("state", "store_generation", "store_claim", "store_claimed_until")
    values = ApiKey.objects.select_for_update().filter(pk=key.pk).values_list(*names).get()
    for name, value in zip(names, values, strict=True):
        setattr(key, name, value)


def _read_others(version: KeyVersion, now: datetime) -> tuple[dict[str, KeyVersion], datetime | None]:
    """Give the key's other open versions by stage, and take over the pending one's end, which may have come nearer.

    With them comes until when the maker of one that has ended may still be at work.
    """
    rows = list(KeyVersion.objects.filter(claims.that_matter(now), key_id=version.key_id))
    found = {row.stage: row for row in rows if row.stage != Stage.RETIRED}
    mine = found.pop(Stage.PENDING, None)
    if mine is not None and mine.pk == version.pk:
        version.expires_at = mine.expires_at
    for row in found.values():
        row.key = version.key
    return found, claims.latest_maker(rows)


def _step_back(key: ApiKey, current: KeyVersion, older: KeyVersion | None, step: _Step) -> None:
    """Make the current version previous, its overlap bounded at once and set exactly when the store has been moved."""
    if not life.accepts(life.Ends(current.stage, current.expires_at, None), step.now):
        raise SupersededError("The key expired meanwhile; an expired key is not rotated.")
    if older is not None:
        if not step.end_previous and life.accepts(life.Ends(older.stage, older.expires_at, older.retires_at), step.now):
            raise SupersededError("Another rotation of this key was first.")
        endings.retire(older, because="rotated", actor=step.actor)
    longest = timedelta(seconds=key.tenant.tier.key_overlap_seconds)
    held = life.overlap_of(step.overlap, longest=longest, left=current.expires_at - step.now)
    _update_version(
        current.pk,
        Stage.CURRENT,
        stage=Stage.PREVIOUS,
        overlap_seconds=int(held.total_seconds()),
        retires_at=min(current.expires_at, step.now + held + SWITCH_LASTS),
        retire_when_quiet=step.retire_when_quiet,
    )
