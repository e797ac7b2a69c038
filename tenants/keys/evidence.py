"""What the versions of a key are still doing: when each was last used, from where, and how often in the last hours.

Written where a key was accepted, apart from the answer: a database that is too busy to note a use does not keep a request from being
answered. The edge will bring counters of its own through :func:`note_uses`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from tenants.keys.models import KeyUse, KeyVersion

logger = logging.getLogger(__name__)

NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Use:
    """One version's use. ``last_used_at`` is right to a minute; calls are of the hour that runs and the one before, and of 24 hours."""

    last_used_at: datetime | None
    last_used_from: str
    calls_last_hour: int
    calls_last_day: int


def note_use(version: KeyVersion, *, address: str = "") -> None:
    """Count one accepted call. Never raises for a busy database."""
    note_uses({version.pk: 1}, address=address, seen=version.last_used_at)


def note_uses(calls: Mapping[str, int], *, address: str = "", seen: datetime | None = None, now: datetime | None = None) -> None:
    """Count accepted calls by version id; ``address`` is the last one that they came from, ``seen`` what is known of their last use."""
    moment = now or timezone.now()
    hour = moment.replace(minute=0, second=0, microsecond=0)
    try:
        with transaction.atomic():
            for version_id, number in calls.items():
                _count(version_id, hour, number)
            if seen is None or moment - seen >= NOTED_EVERY:
                stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=moment - NOTED_EVERY)
                changes = {"last_used_at": moment, "last_used_from": address or None}
                KeyVersion.objects.filter(stale, pk__in=calls).update(**changes)
    except OperationalError:
        logger.warning("the use of a key was not noted", exc_info=True)


def uses_of(version_ids: Collection[str], *, now: datetime | None = None) -> dict[str, Use]:
    """Give the use of each version, in two queries."""
    moment = now or timezone.now()
    hour = moment.replace(minute=0, second=0, microsecond=0)
    last_hour = Sum("calls", filter=Q(hour__gte=hour - timedelta(hours=1)), default=0)
    counted = (
        KeyUse.objects.filter(version_id__in=version_ids, hour__gte=hour - timedelta(hours=23)).values("version_id").order_by()
    )
    calls = {row["version_id"]: (row["last_hour"], row["day"]) for row in counted.annotate(last_hour=last_hour, day=Sum("calls"))}
    rows = KeyVersion.objects.filter(pk__in=version_ids).values_list("pk", "last_used_at", "last_used_from")
    return {pk: Use(at, where or "", *calls.get(pk, (0, 0))) for pk, at, where in rows}


def hours_of(version_ids: Collection[str], *, hours: int = 24, now: datetime | None = None) -> dict[str, list[int]]:
    """Give each version's calls by hour, the oldest first, the hour that runs last: for a sparkline."""
    moment = (now or timezone.now()).replace(minute=0, second=0, microsecond=0)
    first = moment - timedelta(hours=hours - 1)
    found = {version_id: [0] * hours for version_id in version_ids}
    for version_id, hour, calls in KeyUse.objects.filter(version_id__in=version_ids, hour__gte=first).values_list(
        "version_id", "hour", "calls"
    ):
        place = int((hour - first).total_seconds()) // 3_600
        if 0 <= place < hours:
            found[version_id][place] = calls
    return found


def _count(version_id: str, hour: datetime, number: int) -> None:
    mine = KeyUse.objects.filter(version_id=version_id, hour=hour)
    if mine.update(calls=F("calls") + number):
        return
    try:
        with transaction.atomic():
            KeyUse.objects.create(version_id=version_id, hour=hour, calls=number)
    except IntegrityError:
        mine.update(calls=F("calls") + number)
