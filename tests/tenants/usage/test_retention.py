"""What is too old is forgotten, and nothing else; the ids of batches outlive the time in which a batch is still taken."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from core.ids import BATCH, new_id
from tenants.keys.models import KeyDay, KeyUse, TenantHour
from tenants.usage import retention, tasks
from tenants.usage.models import CountedBatch, ThresholdReached, UsageDay, UsageHour, UsageMinute, VersionHour
from tenants.usage.rolling import IDS_KEPT
from tests.tenants.usage.world import NOW

if TYPE_CHECKING:
    from tenants.keys.models import ApiKey

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def fields_of(key: ApiKey, model: type[Any]) -> dict[str, Any]:
    """What a row of each kind needs besides its time."""
    tenant, version = {"tenant_id": key.tenant_id}, {"version": key.versions.get()}
    counted = {**tenant, "outcome": "VALID"}
    return {
        UsageMinute: counted,
        UsageHour: counted,
        UsageDay: counted,
        VersionHour: {**version, "outcome": "EXPIRED"},
        KeyUse: version,
        TenantHour: tenant,
        KeyDay: {**tenant, "key": key},
        ThresholdReached: {**tenant, "limit": "quota-day", "level": 80, "used": 8, "allowance": 10, "reached_at": NOW},
        CountedBatch: {"counted_at": NOW},
    }[model]


@pytest.mark.parametrize(("model", "name", "kept"), retention.KEPT)
def test_what_is_older_than_it_is_kept_is_forgotten(key: ApiKey, model: type[Any], name: str, kept: timedelta) -> None:
    step = timedelta(days=1) if name in retention.DATES else HOUR
    for age in (kept + step, kept - step):
        at = NOW - age
        extra = {"id": new_id(BATCH)} if model is CountedBatch else {}
        model.objects.create(**fields_of(key, model), **extra, **{name: at.date() if name in retention.DATES else at})
    assert retention.forget(now=NOW) == 1
    left = model.objects.get()
    assert getattr(left, name) >= ((NOW - kept).date() if name in retention.DATES else NOW - kept)


def test_more_than_a_batch_is_forgotten_at_once(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    UsageMinute.objects.bulk_create(
        UsageMinute(**fields_of(key, UsageMinute), minute=NOW - timedelta(days=9) + number * HOUR) for number in range(8)
    )
    assert retention.forget(now=NOW) == 8
    tasks.forget()


def test_an_id_is_kept_for_longer_than_its_batch_is_taken() -> None:
    kept = {model: kept for model, _, kept in retention.KEPT}
    assert kept[CountedBatch] > IDS_KEPT
    assert kept[UsageMinute] == timedelta(days=7)
