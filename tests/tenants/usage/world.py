"""Batches as an edge makes them, and the rows that came of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from core.ids import BATCH, new_id
from tenants.usage import batches
from tenants.usage.batches import CountKey
from tenants.usage.models import UsageDay, UsageHour, UsageMinute
from tenants.usage.tally import Batch

NOW = datetime(2026, 11, 26, 12, 10, 30, tzinfo=UTC)
Counts = Mapping[CountKey, tuple[int, int]]


def batch_of(counts: Counts, at: datetime = NOW) -> Batch:
    """A batch that an edge flushed at a time."""
    batch_id, at_ms = new_id(BATCH), round(at.timestamp() * 1000)
    return Batch(batch_id, at_ms, batches.pack(batch_id, at_ms, [(key, *numbers) for key, numbers in counts.items()]))


def minutes() -> set[tuple[str, str, str, str, int, int]]:
    """All rows by minute: tenant, time, outcome, limit, requests, cost."""
    rows = UsageMinute.objects.values_list("tenant_id", "minute", "outcome", "refused_by", "requests", "cost")
    return {(tenant, f"{minute:%d %H:%M}", *rest) for tenant, minute, *rest in rows}


def together() -> dict[str, tuple[int, int]]:
    """What all rows of each kind come to: the three must be the same while nothing was forgotten."""
    kinds = {"minutes": UsageMinute, "hours": UsageHour, "days": UsageDay}
    found = {name: list(model.objects.values_list("requests", "cost")) for name, model in kinds.items()}
    return {name: (sum(requests for requests, _ in rows), sum(cost for _, cost in rows)) for name, rows in found.items()}
