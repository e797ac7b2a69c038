"""The promotion of a version: it becomes current and its predecessor previous, in one transaction, from which on both verify.

Step 3 of ``tenants.keys.making``; the store follows after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from core.actors import Actor
from core.errors import ConflictError
from core.statements import Update
from tenants.keys import claims, endings, life, staging
from tenants.keys.claims import Hold
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, Stage

SWITCH_LASTS = timedelta(hours=1)
"""How much longer than its overlap a predecessor verifies at most while the store cannot be moved: a bound for an outage of AWS."""

_update_version = Update(KeyVersion, "id", "stage")
_update_key = Update(ApiKey, "id")


class SupersededError(ConflictError):
    """The key was changed while its new version was on its way into the store; the version was dropped, nothing was issued."""

    code = "key-changed-meanwhile"
    title = "The key was changed meanwhile"


def promote(
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
