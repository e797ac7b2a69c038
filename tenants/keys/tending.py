"""What the clock does for keys: settle the store, drop what its maker left, end overlaps, rotate by schedule, remind, and end what has expired.

Each function works through rows that are due, a bounded number at a time, and may run anywhere, at any time, twice. Losing the clock
lengthens no life: whether a version is accepted is asked of the time at every use. One key that breaks whoever works on it, for whatever
reason, is logged and left for later: it holds up no other's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from core.actors import system
from core.errors import DomainError
from tenants.keys import containment, endings, evidence, life, locking, making, rotation, store
from tenants.keys.models import ApiKey, KeyState, KeyVersion, Stage, StoreState
from tenants.keys.selectors import ids_of
from tenants.lifecycle import SERVED
from tenants.models import Tier

logger = logging.getLogger(__name__)

Item = TypeVar("Item", str, KeyVersion)
CLOCK = system("keys")
MOST = 200
BUDGET_SECONDS = 30.0
SEEN_EVERY = timedelta(days=1)
SEEN_A_MINUTE = 20
"""So 28,800 keys a day are read back; with more, each is read back less often."""
ROTATION_PAUSE = timedelta(minutes=5)
"""After a scheduled rotation that was refused, until the next try."""


def abandon_unfinished() -> int:
    """Drop pending versions whose makers have died; gives how many."""
    due = KeyVersion.objects.filter(stage=Stage.PENDING, claimed_until__lte=timezone.now()).order_by("claimed_until")
    return _each(ids_of(due, MOST), lambda version_id: making.abandon(version_id, actor=CLOCK))


def settle_stores() -> int:
    """Bring to the store what did not get there; gives how many keys are settled now."""
    now = timezone.now()
    free = Q(store_claimed_until__isnull=True) | Q(store_claimed_until__lte=now)
    due = ApiKey.objects.filter(free, store_state=StoreState.UNSETTLED, store_due_at__lte=now).order_by("store_due_at")
    return _each(ids_of(due, MOST), lambda key_id: store.converge(key_id, actor=CLOCK) == StoreState.SETTLED)


def look_again() -> int:
    """Have the keys read back whose secrets were seen longest ago, at least a day; gives how many. What is gone from the store is found so."""
    seen_before = timezone.now() - SEEN_EVERY
    due = ApiKey.objects.filter(store_state=StoreState.SETTLED, ended_at__isnull=True, store_settled_at__lte=seen_before)
    chosen = ids_of(due.order_by("store_settled_at"), SEEN_A_MINUTE)
    return ApiKey.objects.filter(pk__in=chosen, store_state=StoreState.SETTLED).update(
        store_state=StoreState.UNSETTLED, store_due_at=timezone.now()
    )


def end_overlaps() -> int:
    """Retire previous versions whose overlap is over, or whose evidence is in; gives how many."""
    now = timezone.now()
    over = Q(retires_at__lte=now) | Q(expires_at__lte=now)
    due = KeyVersion.objects.filter(over, stage=Stage.PREVIOUS).order_by("retires_at")
    ended = _each(ids_of(due, MOST), lambda pk: rotation.retire_if_over(pk, because="overlap-over", actor=CLOCK))
    return ended + _each(_quiet(now), lambda pk: rotation.retire_if_over(pk, because="quiet", actor=CLOCK))


def rotate_due() -> int:
    """Carry out the rotations that are owed, by schedule or after a leak; gives how many. One that is refused is tried again later."""
    now = timezone.now()
    rows = ApiKey.objects.filter(state=KeyState.ACTIVE, tenant__state__in=SERVED, rotate_due_at__lte=now)
    done = 0
    for key in list(rows.order_by("rotate_due_at")[:MOST]):
        done += _rotate(key)
    return done


def schedule_rotations() -> int:
    """Write down which keys' scheduled rotations have come due; gives how many."""
    now = timezone.now()
    rows = KeyVersion.objects.filter(
        _may_be_due(now),
        stage=Stage.CURRENT,
        key__state=KeyState.ACTIVE,
        key__rotate_every_days__isnull=False,
        key__rotate_due_at__isnull=True,
        expires_at__gt=now,
    ).select_related("key__tenant__tier")
    found = 0
    for version in rows.order_by("issued_at").iterator(chunk_size=500):
        overlap = timedelta(seconds=version.key.tenant.tier.key_overlap_seconds)
        due = life.next_rotation(
            version.issued_at,
            every_days=version.key.rotate_every_days,
            expires_at=version.expires_at,
            key_ends_at=version.key.expires_at,
            overlap=overlap,
        )
        if due is not None and due <= now:
            found += ApiKey.objects.filter(pk=version.key_id, rotate_due_at__isnull=True).update(rotate_due_at=due)
    return found


def end_expired() -> int:
    """End keys whose current version's life is over; gives how many."""
    now = timezone.now()
    due = ApiKey.objects.filter(
        state__in=(KeyState.ACTIVE, KeyState.DISABLED), versions__stage=Stage.CURRENT, versions__expires_at__lte=now
    )
    return _each(ids_of(due.order_by("versions__expires_at"), MOST), lambda key_id: _expire(key_id, now))


def remind() -> int:
    """Raise ``key.expiring`` 30, 7 and 1 days before a current version expires; gives how many. What was missed is not made up for."""
    now = timezone.now()
    return _each(_expiring(now), lambda version: _remind(version, now))


def _each(items: Iterable[Item], act: Callable[[Item], bool]) -> int:
    """Act on each and give how often that did something. What breaks on one is logged and keeps no other from its turn.

    After BUDGET_SECONDS the rest is left to the next turn: where AWS does not answer, each call takes its whole time-out.
    """
    done, give_up_at = 0, time.monotonic() + BUDGET_SECONDS
    for item in items:
        if time.monotonic() >= give_up_at:
            logger.warning("the clock's time for keys was up before its work was done")
            break
        try:
            done += act(item)
        except Exception:
            logger.exception("the clock could not work on a key", extra={"row": getattr(item, "pk", item)})
    return done


def _quiet(now: datetime) -> Iterator[str]:
    rows = KeyVersion.objects.filter(stage=Stage.PREVIOUS, retire_when_quiet=True, switched_at__isnull=False)
    for version in rows.select_related("key__tenant__tier").order_by("switched_at")[: MOST * 5]:
        successor = KeyVersion.objects.filter(key=version.key, stage=Stage.CURRENT).first()
        if successor is None:
            continue
        used = evidence.uses_of([version.pk, successor.pk], now=now)
        if life.is_quiet(
            now,
            quiet=timedelta(seconds=version.key.tenant.tier.key_quiet_seconds),
            promoted_at=successor.promoted_at,
            successor_used_at=used[successor.pk].last_used_at,
            predecessor_used_at=used[version.pk].last_used_at,
        ):
            yield version.pk


def _may_be_due(now: datetime) -> Q:
    """Give what a version whose scheduled rotation has come due looks like to the database, so that the others stay there.

    ``life.next_rotation`` has the last word: this lets through whatever ends within the longest overlap of all.
    """
    longest = Tier.objects.aggregate(longest=Max("key_overlap_seconds"))["longest"] or 0
    found = Q(expires_at__lte=now + timedelta(seconds=longest))
    scheduled = ApiKey.objects.filter(state=KeyState.ACTIVE, rotate_every_days__isnull=False, rotate_due_at__isnull=True)
    for days in scheduled.order_by().values_list("rotate_every_days", flat=True).distinct():
        found |= Q(key__rotate_every_days=days, issued_at__lte=now - timedelta(days=days or 0))
    return found


def _rotate(key: ApiKey) -> bool:
    overlap = None if key.rotate_overlap_seconds is None else timedelta(seconds=key.rotate_overlap_seconds)
    try:
        rotation.rotate_key(
            actor=CLOCK,
            tenant_id=key.tenant_id,
            key_id=key.pk,
            overlap=overlap,
            end_previous=containment.concerns_current(key),
            reason="a rotation was due",
        )
    except DomainError as error:
        logger.info("a rotation that was due was refused: %s", error, extra={"key": key.pk})
    except Exception:
        logger.exception("a rotation that was due broke", extra={"key": key.pk})
    else:
        return True
    ApiKey.objects.filter(pk=key.pk, rotate_due_at=key.rotate_due_at).update(rotate_due_at=timezone.now() + ROTATION_PAUSE)
    return False


def _remind(version: KeyVersion, now: datetime) -> bool:
    days = life.due_reminder(now, version.expires_at, version.reminded_days)
    if days is None:
        return False
    with transaction.atomic():
        fresh = KeyVersion.objects.filter(pk=version.pk, reminded_days=version.reminded_days, stage=Stage.CURRENT)
        if not fresh.update(reminded_days=days):
            return False
        details: dict[str, object] = {"version": version.pk, "days": days, "expires_at": version.expires_at}
        endings.tell(version.key, "key.expiring", CLOCK, "", details)
    return True


def _expire(key_id: str, now: datetime) -> bool:
    with transaction.atomic():
        key = locking.lock(key_id)
        over = key.versions.filter(stage=Stage.CURRENT, expires_at__lte=now).exists()
        if not over or key.state not in (KeyState.ACTIVE, KeyState.DISABLED):
            return False
        endings.end(key, to=KeyState.EXPIRED, because="expired", actor=CLOCK, reason="its time is over")
    store.converge(key_id, actor=CLOCK)
    return True


def _expiring(now: datetime) -> Iterator[KeyVersion]:
    soon = now + timedelta(days=max(life.REMIND_BEFORE_DAYS))
    rows = KeyVersion.objects.filter(stage=Stage.CURRENT, expires_at__gt=now, expires_at__lte=soon, key__state=KeyState.ACTIVE)
    owed = Q(reminded_days__isnull=True)
    for days in life.REMIND_BEFORE_DAYS:
        owed |= Q(expires_at__lte=now + timedelta(days=days), reminded_days__gt=days)
    return rows.filter(owed).select_related("key").order_by(F("expires_at"))[: MOST * 5].iterator(chunk_size=500)
