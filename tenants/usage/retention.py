"""Forgetting counters that nobody asks for any more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.db import models
from django.utils import timezone

from tenants.keys.models import KeyDay, KeyUse, TenantHour
from tenants.usage.models import CountedBatch, ThresholdReached, UsageDay, UsageHour, UsageMinute, VersionHour
from tenants.usage.rolling import IDS_KEPT

BATCH, MOST_BATCHES = 5_000, 200
KEPT: tuple[tuple[type[models.Model], str, timedelta], ...] = (
    (UsageMinute, "minute", timedelta(days=7)),
    (UsageHour, "hour", timedelta(days=90)),
    (VersionHour, "hour", timedelta(days=90)),
    (KeyUse, "hour", timedelta(days=90)),
    (TenantHour, "hour", timedelta(days=90)),
    (UsageDay, "day", timedelta(days=800)),
    (KeyDay, "day", timedelta(days=800)),
    (ThresholdReached, "period", timedelta(days=800)),
    (CountedBatch, "at", IDS_KEPT + timedelta(days=1)),
)
"""What is kept for how long, by which column. Ids outlive the time in which their batch would still be taken."""
DATES = ("day", "period")


def forget(*, now: datetime | None = None) -> int:
    """Delete what is too old; gives how many rows. In batches of 5,000, each a transaction of its own; what is left is for the next time."""
    moment = (now or timezone.now()).astimezone(UTC)
    return sum(_forget(model, name, moment - kept) for model, name, kept in KEPT)


def _forget(model: type[models.Model], name: str, before: datetime) -> int:
    """Rows are numbered as they come, so the oldest are at the beginning: no index by time is needed, which all counting would have to keep."""
    limit: date = before.date() if name in DATES else before
    total = 0
    for _ in range(MOST_BATCHES):
        first = list(model._default_manager.order_by("pk").values_list("pk", name)[:BATCH])
        old = [pk for pk, at in first if at < limit]
        if old:
            total += model._default_manager.filter(pk__in=old).delete()[0]
        if len(old) < BATCH:
            break
    return total
