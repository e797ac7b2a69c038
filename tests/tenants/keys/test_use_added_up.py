"""Calls are added up as they are counted: by key and day, and by tenant and hour, and nothing is counted twice or for somebody else."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.db import connection

from tenants.keys import evidence
from tenants.keys.models import KeyDay, KeyUse, TenantHour
from tests.controlplane.console.made_up_keys import made_up_key

if TYPE_CHECKING:
    from tenants.models import Cell

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 26, 12, 10, tzinfo=UTC)
TODAY, YESTERDAY = NOON.date(), NOON.date() - timedelta(days=1)


@pytest.fixture
def counted(cell: Cell) -> dict[str, str]:
    """Two keys of acme's, one with two versions, and one of globex's; gives their ids and their tenants'."""
    from tests.tenants.keys.world import new_tenant

    acme, globex = new_tenant(cell, "acme"), new_tenant(cell, "globex")
    busy = made_up_key(acme, "busy", versions=({"stage": "previous"}, {}))
    quiet, theirs = made_up_key(acme, "quiet"), made_up_key(globex, "theirs")
    old, new = busy.versions.order_by("number")
    (only,), (foreign,) = quiet.versions.all(), theirs.versions.all()
    evidence.note_uses({new.pk: 5, only.pk: 2, foreign.pk: 70}, now=NOON)
    evidence.note_uses({old.pk: 3, new.pk: 4}, now=NOON)
    evidence.note_uses({only.pk: 9}, now=NOON - timedelta(hours=13))
    return {"acme": acme.pk, "globex": globex.pk, "busy": busy.pk, "quiet": quiet.pk, "theirs": theirs.pk}


def test_the_busiest_keys_of_a_day_are_a_tenants_own_and_in_order(counted: dict[str, str]) -> None:
    assert evidence.busiest_of(counted["acme"], TODAY, most=5) == [(counted["busy"], 12), (counted["quiet"], 2)]
    assert evidence.busiest_of(counted["acme"], TODAY, most=1) == [(counted["busy"], 12)]
    assert evidence.busiest_of(counted["acme"], YESTERDAY, most=5) == [(counted["quiet"], 9)]
    assert evidence.busiest_of(counted["globex"], TODAY, most=5) == [(counted["theirs"], 70)]


def test_a_tenants_hours_are_those_of_all_its_keys(counted: dict[str, str]) -> None:
    hours = evidence.hours_of_tenant(counted["acme"], now=NOON)
    assert (len(hours), hours[-1], hours[-14], sum(hours)) == (24, 14, 9, 23)
    assert sum(evidence.hours_of_tenant(counted["acme"], now=NOON + timedelta(hours=12))) == 14


def test_versions_that_nobody_knows_are_counted_for_nobody(counted: dict[str, str]) -> None:
    before = KeyUse.objects.count()
    evidence.note_uses({"kv_unknown": 4}, now=NOON)
    assert KeyUse.objects.count() == before
    assert sum(KeyDay.objects.values_list("calls", flat=True)) == 93


def test_what_was_counted_before_is_added_up_by_the_migration(counted: dict[str, str]) -> None:
    days = set(KeyDay.objects.values_list("tenant_id", "key_id", "day", "calls"))
    hours = set(TenantHour.objects.values_list("tenant_id", "hour", "calls"))
    KeyDay.objects.all().delete()
    TenantHour.objects.all().delete()
    importlib.import_module("tenants.keys.migrations.0002_add_use_up").add_up(apps, None)
    assert set(KeyDay.objects.values_list("tenant_id", "key_id", "day", "calls")) == days
    assert set(TenantHour.objects.values_list("tenant_id", "hour", "calls")) == hours


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite writes rows in their places")
def test_counters_have_room_to_be_written_anew_in_their_own_page(counted: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [KeyUse._meta.db_table])
        assert cursor.fetchone() == (["fillfactor=50"],)
