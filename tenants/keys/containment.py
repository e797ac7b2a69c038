"""What is done with keys whose texts were found in public, by their tenants' policies. Call it in a transaction that holds the keys' rows.

The text of a leaked version stops verifying at once, or, where the policy is to rotate and the version is current, within the leak overlap
(``CONTROLPLANE_LEAK_OVERLAP_SECONDS``), whatever AWS does: its end is in the database before anybody asks AWS for anything. The clock then makes
the successor. If it cannot for all that time, the version expires and the key with it: contained, at the price of an outage.

``ApiKey.leaked_at`` is when a text of the key was last found. It concerns the versions that were promoted before it; one that was
promoted later is not touched by it.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
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
    keys: Iterable[ApiKey],
    leaked: Mapping[str, Collection[str]],
    versions: Iterable[KeyVersion],
    *,
    actions: Mapping[str, str],
    actor: Actor,
    now: datetime | None = None,
) -> dict[str, Done]:
    """Contain these leaks and say, by version id, what was done.

    ``leaked`` has the leaked version ids by key id, ``actions`` the policies by tenant id. ``versions`` are the keys' open ones, read under the
    lock; a leaked version that is not among them has ended and needs nothing. The store is left to the clock. However many keys
    there are, the statements that are not audit entries and events stay few.
    """
    moment = now or timezone.now()
    open_ones: dict[str, dict[str, KeyVersion]] = {}
    for version in versions:
        open_ones.setdefault(version.key_id, {})[version.pk] = version
    done: dict[str, Done] = {}
    to_revoke: list[ApiKey] = []
    to_rotate: list[KeyVersion] = []
    for key in keys:
        mine = open_ones.get(key.pk, {})
        live = [mine[pk] for pk in leaked[key.pk] if pk in mine and _may_verify(mine[pk], moment)]
        done |= dict.fromkeys(leaked[key.pk], Done.NOTHING)
        if not live or not key.is_living:
            continue
        if actions[key.tenant_id] == LeakAction.REVOKE or key.state != KeyState.ACTIVE:
            to_revoke.append(key)
            done |= {version.pk: Done.REVOKED for version in live}
            continue
        for version in sorted(live, key=lambda one: one.stage == Stage.CURRENT):
            done[version.pk] = _replace(key, version, mine.values(), actor, moment)
            to_rotate += [version] if done[version.pk] == Done.ROTATING else []
    endings.revoke_many(to_revoke, because="leaked", actor=actor, reason=REASON, leaked_at=moment)
    _bring_near(to_rotate, moment)
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
    """Decide about one version of a key that lives on, and end what ends now; a current one is left to :func:`_bring_near`."""
    if _is_near_its_end(key, version):
        return Done.NOTHING
    if version.stage != Stage.CURRENT:
        _retire(key, version, "leaked", actor)
        ApiKey.objects.filter(pk=key.pk).update(leaked_at=now)
        return Done.RETIRED
    for previous in versions:
        if previous.stage == Stage.PREVIOUS:
            # The leaked version will need its place, and there can be one previous version only.
            _retire(key, previous, "rotated", actor)
    return Done.ROTATING


def _retire(key: ApiKey, version: KeyVersion, because: str, actor: Actor) -> None:
    version.key = key
    endings.retire(version, because=because, actor=actor, reason=REASON)


def _bring_near(versions: Collection[KeyVersion], now: datetime) -> None:
    """Bring the ends of these current versions near, never further away, and let the clock rotate their keys."""
    end = now + overlap()
    KeyVersion.objects.filter(pk__in=[version.pk for version in versions], expires_at__gt=end).update(expires_at=end)
    ApiKey.objects.filter(pk__in=[version.key_id for version in versions]).update(
        leaked_at=now, rotate_due_at=now, rotate_overlap_seconds=int(overlap().total_seconds())
    )


def _is_near_its_end(key: ApiKey, version: KeyVersion) -> bool:
    """Say whether an earlier report has brought this version's end near: the time that its users were given then stands."""
    return key.leaked_at is not None and version.stage != Stage.PENDING and version.expires_at <= key.leaked_at + overlap()
