"""What the versions of a key are still doing: when each was last used, from where, and how often in the last hours.

Calls are counted by version and hour, and added up as they are counted, by key and day and by tenant and hour: a page over all keys of a
tenant reads as many rows for thousands as for five. The price is that all counting for a tenant meets in one row, held until its short
transaction ends.

Written where a key was accepted, apart from the answer: a database that is too busy to note a use does not keep a request from being
answered. The edges' counts come through :func:`add_uses`, in the transaction that counts them elsewhere, so it raises.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet, Sum, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from core.statements import AddUp
from tenants.keys.models import KeyDay, KeyUse, KeyVersion, TenantHour

logger = logging.getLogger(__name__)

NOTED_EVERY = timedelta(minutes=1)
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Use:
    """One version's use. ``last_used_at`` is right to a minute; calls are of the hour that runs and the one before, and of 24 hours.

    ``last_used_from`` is empty where no address was noted, which edges never do.
    """

    last_used_at: datetime | None
    last_used_from: str
    calls_last_hour: int
    calls_last_day: int


def note_use(version: KeyVersion, *, address: str = "") -> None:
    """Count one accepted call. Never raises for a busy database."""
    owners = {version.pk: (version.key_id, version.key.tenant_id)}
    note_uses({version.pk: 1}, address=address, seen=version.last_used_at, owners=owners)


def note_uses(
    calls: Mapping[str, int],
    *,
    address: str = "",
    seen: datetime | None = None,
    now: datetime | None = None,
    owners: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Count accepted calls by version id; ``address`` is the last one that they came from, ``seen`` what is known of their last use.

    ``owners`` are key id and tenant id of each version; they are asked for when the caller does not know them.
    """
    moment = now or timezone.now()
    try:
        with transaction.atomic():
            owned = _owners_of(calls) if owners is None else owners
            add_uses({(version_id, moment): calls[version_id] for version_id in owned}, owned)
            if seen is None or moment - seen >= NOTED_EVERY:
                _stale(calls, moment).update(last_used_at=moment, last_used_from=address or None)
    except OperationalError:
        logger.warning("the use of a key was not noted", exc_info=True)


def add_uses(
    calls: Mapping[tuple[str, datetime], int],
    owners: Mapping[str, tuple[str, str]],
    costs: Mapping[tuple[str, datetime], int] | None = None,
) -> None:
    """Count accepted calls by version id and moment, within the caller's transaction; ``owners`` are key id and tenant id of each version.

    ``costs`` are what the calls were charged of quotas, where an edge charged them.

    Counted by version, then by key, then by tenant, each in the order of ids: two who count at once never wait for each other in a circle.
    Raises OperationalError.
    """
    hours, tenants = Counter[tuple[str, datetime]](), Counter[tuple[str, datetime]]()
    days: dict[tuple[str, date, str], tuple[int, int]] = {}
    costs = costs or {}
    hour_of = {moment: _hour(moment) for moment in {moment for _, moment in calls}}  # of which there are few, and keys are many
    day_of = {moment: hour.date() for moment, hour in hour_of.items()}
    for (version_id, moment), number in calls.items():
        hour, (key_id, tenant_id) = hour_of[moment], owners[version_id]
        hours[version_id, hour] += number
        day = (key_id, day_of[moment], tenant_id)
        called, cost = days.get(day, (0, 0))
        days[day] = (called + number, cost + costs.get((version_id, moment), 0))
        tenants[tenant_id, hour] += number
    _ADD_HOURS({key: (number,) for key, number in hours.items()})
    _ADD_DAYS(days)
    _ADD_TENANTS({key: (number,) for key, number in tenants.items()})


def see(version_ids: Collection[str], moment: datetime) -> None:
    """Note that versions were used at a moment, from addresses that nobody told. Waits for nobody: one that somebody holds is left out."""
    ids, skips = sorted(version_ids), connection.features.has_select_for_update_skip_locked
    for start in range(0, len(ids), BATCH):
        rows = _stale(ids[start : start + BATCH], moment)
        with transaction.atomic():
            free = (
                list(rows.select_for_update(skip_locked=skips).values_list("pk", flat=True))
                if skips
                else ids[start : start + BATCH]
            )
            _stale(free, moment).update(last_used_at=moment, last_used_from=None)


def uses_of(version_ids: Collection[str], *, now: datetime | None = None) -> dict[str, Use]:
    """Give the use of each version, in two queries."""
    hour = _hour(now or timezone.now())
    last_hour = Sum("calls", filter=Q(hour__gte=hour - timedelta(hours=1)), default=0)
    counted = (
        KeyUse.objects.filter(version_id__in=version_ids, hour__gte=hour - timedelta(hours=23)).values("version_id").order_by()
    )
    calls = {row["version_id"]: (row["last_hour"], row["day"]) for row in counted.annotate(last_hour=last_hour, day=Sum("calls"))}
    rows = KeyVersion.objects.filter(pk__in=version_ids).values_list("pk", "last_used_at", "last_used_from")
    return {pk: Use(at, where or "", *calls.get(pk, (0, 0))) for pk, at, where in rows}


def hours_of(version_ids: Collection[str], *, hours: int = 24, now: datetime | None = None) -> dict[str, list[int]]:
    """Give each version's calls by hour, the oldest first, the hour that runs last: for a sparkline."""
    moment = _hour(now or timezone.now())
    first = moment - timedelta(hours=hours - 1)
    found = {version_id: [0] * hours for version_id in version_ids}
    # Hours come as text, of which the first 13 characters are alike in all databases: making times of them would cost a list of keys more
    # than all else that it reads.
    places = {f"{first + timedelta(hours=place):%Y-%m-%d %H}": place for place in range(hours)}
    rows = KeyUse.objects.filter(version_id__in=version_ids, hour__gte=first).order_by()
    for version_id, text, calls in rows.annotate(text=Cast("hour", TextField())).values_list("version_id", "text", "calls"):
        place = places.get(text[:13])
        if place is not None:
            found[version_id][place] = calls
    return found


def busiest_of(tenant_id: str, day: date, *, most: int) -> list[tuple[str, int]]:
    """Give the keys that were called most on a day (UTC) with their calls, the busiest first, in one query."""
    rows = KeyDay.objects.filter(tenant_id=tenant_id, day=day, calls__gt=0).order_by("-calls", "key_id")
    return list(rows.values_list("key_id", "calls")[:most])


def hours_of_tenant(tenant_id: str, *, hours: int = 24, now: datetime | None = None) -> list[int]:
    """Give the calls of all keys of a tenant by hour, the oldest first, the hour that runs last, in one query."""
    moment = _hour(now or timezone.now())
    begins = [moment - timedelta(hours=ago) for ago in reversed(range(hours))]
    found = dict(TenantHour.objects.filter(tenant_id=tenant_id, hour__gte=begins[0]).values_list("hour", "calls"))
    return [found.get(hour, 0) for hour in begins]


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _owners_of(version_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    rows = KeyVersion.objects.filter(pk__in=version_ids).values_list("pk", "key_id", "key__tenant_id")
    return {pk: (key_id, tenant_id) for pk, key_id, tenant_id in rows}


def _stale(version_ids: Collection[str], moment: datetime) -> QuerySet[KeyVersion]:
    """Those whose last use is to be noted anew."""
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=moment - NOTED_EVERY)
    return KeyVersion.objects.filter(stale, pk__in=version_ids)


_ADD_HOURS = AddUp(KeyUse, ["version_id", "hour"], ["calls"])
_ADD_DAYS = AddUp(KeyDay, ["key_id", "day"], ["calls", "cost"], beside=["tenant_id"])
_ADD_TENANTS = AddUp(TenantHour, ["tenant_id", "hour"], ["calls"])
