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
from django.utils import timezone

from core.actors import Actor
from core.statements import Insert
from tenants.keys import claims, endings, life, locking, promotion, store, tokens
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, Stage
from tenants.keys.permits import check_time_left

logger = logging.getLogger(__name__)

CLAIM_LASTS = timedelta(seconds=120)
"""How long a maker may take between its pending row and the promotion: longer than its calls' time-outs together."""

_insert_version = Insert(KeyVersion)


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
            hold = promotion.promote(
                version, overlap=overlap, retire_when_quiet=retire_when_quiet, end_previous=end_previous, actor=actor
            )
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
        key = locking.lock(version.key_id)
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
            claims.unsettle(locking.lock(version.key_id))
        if is_answered:
            KeyVersion.objects.filter(pk=version.pk, stage=Stage.RETIRED).update(claimed_until=None)
