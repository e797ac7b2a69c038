"""What is done with one key whose text was found in public, by its tenant's policy. Call it in a transaction that holds the key's row.

The text of a leaked version stops verifying at once, or, where the policy is to rotate and the version is current, within the leak overlap
(``CONTROLPLANE_LEAK_OVERLAP_SECONDS``), whatever AWS does: its end is in the database before anybody asks AWS for anything. The clock then makes
the successor. If it cannot for all that time, the version expires and the key with it: contained, at the price of an outage.

``ApiKey.leaked_at`` is when a text of the key was last found. It concerns the versions that were promoted before it; one that was
promoted later is not touched by it.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from core.actors import Actor
from tenants.keys import endings, life
from tenants.keys.models import ApiKey, KeyState, KeyVersion, LeakAction, Stage

REASON = "its text was found in public"


class Done(enum.StrEnum):
    """What was done about one leaked version."""

    REVOKED = "revoked"  # the key has ended with all its versions
    ROTATING = "rotating"  # the version ends soon, the clock makes its successor
    RETIRED = "retired"  # the version has ended, the key goes on
    NOTHING = "nothing"  # it does not verify any more, or its end has been brought near already


def contain(
    key: ApiKey, leaked: Collection[str], versions: Iterable[KeyVersion], *, action: str, actor: Actor, now: datetime | None = None
) -> dict[str, Done]:
    """Contain the leak of the versions with these ids and say what was done about each.

    ``versions`` are the key's open ones, read under the lock; a leaked version that is not among them has ended and needs nothing. The store
    is left to the clock.
    """
    moment = now or timezone.now()
    by_id = {version.pk: version for version in versions}
    for version in by_id.values():
        version.key = key
    live = [by_id[version_id] for version_id in leaked if version_id in by_id and _may_verify(by_id[version_id], moment)]
    done = dict.fromkeys(leaked, Done.NOTHING)
    if not live or not key.is_living:
        return done
    if action == LeakAction.REVOKE or key.state != KeyState.ACTIVE:
        endings.end(key, to=KeyState.REVOKED, because="leaked", actor=actor, reason=REASON)
        ApiKey.objects.filter(pk=key.pk).update(leaked_at=moment)
        return done | {version.pk: Done.REVOKED for version in live}
    for version in sorted(live, key=lambda one: one.stage == Stage.CURRENT):
        done[version.pk] = _replace(key, version, by_id.values(), actor, moment)
    return done


def overlap() -> timedelta:
    """How long the text of a leaked current version goes on verifying at most, where the policy is to rotate."""
    return timedelta(seconds=settings.LEAK_OVERLAP_SECONDS)


def concerns_current(key: ApiKey) -> bool:
    """Say whether the current version is one that was found, so that nothing older need be spared when it is replaced."""
    if key.leaked_at is None:
        return False
    return not key.versions.filter(stage=Stage.CURRENT, promoted_at__gt=key.leaked_at).exists()


def _may_verify(version: KeyVersion, now: datetime) -> bool:
    return version.stage == Stage.PENDING or life.accepts(life.Ends(version.stage, version.expires_at, version.retires_at), now)


def _replace(key: ApiKey, version: KeyVersion, versions: Iterable[KeyVersion], actor: Actor, now: datetime) -> Done:
    if _is_near_its_end(key, version):
        return Done.NOTHING
    if version.stage != Stage.CURRENT:
        endings.retire(version, because="leaked", actor=actor, reason=REASON)
        ApiKey.objects.filter(pk=key.pk).update(leaked_at=now)
        return Done.RETIRED
    for previous in versions:
        if previous.stage == Stage.PREVIOUS:
            # Its place is needed for the leaked version, and its text is no older a secret than that one's.
            endings.retire(previous, because="rotated", actor=actor, reason=REASON)
    version.expires_at = min(version.expires_at, now + overlap())
    version.save(update_fields=["expires_at"])
    ApiKey.objects.filter(pk=key.pk).update(leaked_at=now, rotate_due_at=now, rotate_overlap_seconds=int(overlap().total_seconds()))
    return Done.ROTATING


def _is_near_its_end(key: ApiKey, version: KeyVersion) -> bool:
    """Say whether an earlier report has brought this version's end near: the time that its users were given then stands."""
    return key.leaked_at is not None and version.stage != Stage.PENDING and version.expires_at <= key.leaked_at + overlap()
