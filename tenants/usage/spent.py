"""What quotas were charged, as far as it was counted: by id the cost of a day and of its month, as :mod:`tenants.limits.putting_back` wants it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import Q, Sum

from tenants.keys.models import KeyDay
from tenants.usage.selectors import BATCH, used_of


def used_by_tenants(tenant_ids: Iterable[str], now: datetime) -> dict[str, tuple[int, int]]:
    """Give :func:`~tenants.usage.selectors.used_of` as day and month (UTC)."""
    return {tenant_id: (used.day, used.month) for tenant_id, used in used_of(tenant_ids, now).items()}


def used_by_keys(key_ids: Iterable[str], now: datetime) -> dict[str, tuple[int, int]]:
    """Give the cost that edges admitted for each of these keys, its versions together; one query for a thousand. Keys without any are left out."""
    today = now.astimezone(UTC).date()
    ids, found = list(key_ids), dict[str, tuple[int, int]]()
    rows = KeyDay.objects.filter(cost__gt=0, day__gte=today.replace(day=1), day__lte=today).order_by()
    for start in range(0, len(ids), BATCH):
        some = rows.filter(key_id__in=ids[start : start + BATCH]).values_list("key_id")
        for key_id, day, month in some.annotate(day_=Sum("cost", filter=Q(day=today), default=0), month=Sum("cost")):
            found[key_id] = (day, month)
    return found
