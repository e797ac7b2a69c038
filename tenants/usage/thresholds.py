"""Telling that a tenant has used 80, 90 or 100 % of a quota, each once a day or month, whoever asks how often and whatever crashes.

A row for each (tenant, quota, period, level) is written in the transaction of its event; the one who finds it there says nothing. What was told stays
told for its period when the quota is changed: raised, it is not told anew; lowered, what is reached by that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from core.outbox.services import publish
from core.statements import InsertNew
from tenants.lifecycle import TenantState
from tenants.models import Tenant
from tenants.usage import selectors
from tenants.usage.figures import QuotaUse
from tenants.usage.models import LEVELS, ThresholdReached, UsageDay

EVENT = "usage.threshold_reached"
BATCH = 500
_Place = tuple[str, str, date, int]
_write_new = InsertNew(ThresholdReached, "tenant_id", "limit", "period", "level", "used", "allowance", "reached_at")


def tell_reached(tenant_ids: Iterable[str], *, now: datetime | None = None) -> int:
    """Tell what these tenants have reached and nobody was told of; gives how many events. Repeatable, and safe to run at once.

    Each tenant's rows and events are one transaction. For tenants with nothing new it asks four queries for all of a batch.
    """
    now, ids, told = now or timezone.now(), sorted(tenant_ids), 0
    for start in range(0, len(ids), BATCH):
        rows = Tenant.objects.filter(pk__in=ids[start : start + BATCH]).exclude(state=TenantState.CLOSED).select_related("tier")
        told += _tell_of(selectors.quota_uses_of(rows.order_by("pk"), now), now)
    return told


def sweep(*, now: datetime | None = None) -> int:
    """Do the same for every tenant with usage in this month: for limits that were changed, and for what a crash left untold."""
    now = now or timezone.now()
    used = UsageDay.objects.filter(selectors.ALLOWED, tenant_id=OuterRef("pk"), day__gte=now.date().replace(day=1))
    rows = Tenant.objects.filter(Exists(used)).exclude(state=TenantState.CLOSED).order_by("pk")
    told, after = 0, ""
    while ids := list(rows.filter(pk__gt=after).values_list("pk", flat=True)[:BATCH]):
        told += tell_reached(ids, now=now)
        after = ids[-1]
    return told


def _tell_of(uses: Mapping[str, list[QuotaUse]], now: datetime) -> int:
    reached = {tenant_id: list(_reached(found)) for tenant_id, found in uses.items()}
    known = _known([tenant_id for tenant_id, found in reached.items() if found], now)
    told = 0
    for tenant_id, found in sorted(reached.items()):
        new = [(use, level) for use, level in found if (tenant_id, use.name, use.begins_at.date(), level) not in known]
        if new:
            told += _tell(tenant_id, new, now)
    return told


def _reached(uses: Iterable[QuotaUse]) -> Iterator[tuple[QuotaUse, int]]:
    return ((use, level) for use in uses if use.allowance is not None for level in LEVELS if use.percent >= level)


def _known(tenant_ids: list[str], now: datetime) -> set[_Place]:
    if not tenant_ids:
        return set()
    rows = ThresholdReached.objects.filter(tenant_id__in=tenant_ids, period__gte=now.date().replace(day=1))
    return set(rows.order_by().values_list("tenant_id", "limit", "period", "level"))


def _tell(tenant_id: str, reached: list[tuple[QuotaUse, int]], now: datetime) -> int:
    """Write rows and events, the lowest level first; one who comes second waits for the first and then has nothing to tell."""
    rows = [(tenant_id, use.name, use.begins_at.date(), level, use.used, use.allowance, now) for use, level in reached]
    resets = {use.name: use.resets_at for use, _ in reached}
    with transaction.atomic():
        new = ThresholdReached.objects.filter(pk__in=_write_new(rows)).order_by("limit", "level")
        for row in new:
            data = {"tenant": tenant_id, "limit": row.limit, "level": row.level, "used": row.used, "allowance": row.allowance}
            times = {"period": row.period.isoformat(), "resets_at": resets[row.limit]}
            publish(type=EVENT, subject=tenant_id, tenant_id=tenant_id, data={**data, **times})
    return len(new)
