"""Counters are added to in one statement, in the order of their keys, with values that the ORM reads back; new rows are told from known ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from core import statements
from core.statements import AddUp, InsertNew

pytestmark = pytest.mark.django_db
HOUR = datetime(2026, 11, 26, 12, tzinfo=UTC)
TENANTS = ["tnt_a", "tnt_b'; --", "tnt_%s"]


def add_up() -> AddUp:
    from tenants.keys.models import TenantHour

    return AddUp(TenantHour, ["tenant_id", "hour"], ["calls"])


def hours() -> dict[tuple[str, datetime], int]:
    from tenants.keys.models import TenantHour

    return {(tenant, hour): calls for tenant, hour, calls in TenantHour.objects.values_list("tenant_id", "hour", "calls")}


def test_new_counters_are_made_and_known_ones_added_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "ROWS", 2)
    first = {(tenant, HOUR): (place,) for place, tenant in enumerate(TENANTS)}
    add_up()(first)
    add_up()({**first, ("tnt_a", HOUR + timedelta(hours=1)): (40,)})
    assert hours() == {
        (TENANTS[0], HOUR): 0,
        (TENANTS[1], HOUR): 2,
        (TENANTS[2], HOUR): 4,
        (TENANTS[0], HOUR + timedelta(hours=1)): 40,
    }
    add_up()({})


def test_counters_are_reached_in_the_order_of_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "ROWS", 2)
    reached: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        flat = [value for param in params for value in (param if isinstance(param, list) else [param])]
        reached.extend(value for value in flat if value in TENANTS)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        add_up()({(tenant, HOUR): (1,) for tenant in reversed(TENANTS)})
    assert reached == sorted(TENANTS)


def test_what_is_beside_the_key_is_written_with_a_new_counter() -> None:
    from tenants.keys.models import KeyDay

    add = AddUp(KeyDay, ["key_id", "day"], ["calls"], beside=["tenant_id"])
    for _ in range(2):
        add({("key_a", HOUR.date(), "tnt_a"): (3,)})
    assert list(KeyDay.objects.values_list("key_id", "day", "tenant_id", "calls")) == [("key_a", HOUR.date(), "tnt_a", 6)]


def test_those_that_are_there_are_not_new_and_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants.usage.models import CountedBatch

    monkeypatch.setattr(statements, "ROWS", 2)
    insert = InsertNew(CountedBatch, "id", "at", "counted_at")
    assert insert([("bat_a", HOUR, HOUR)]) == {"bat_a"}
    later = HOUR + timedelta(days=1)
    assert insert([(name, later, later) for name in ("bat_a", "bat_b", "bat_c")]) == {"bat_b", "bat_c"}
    assert dict(CountedBatch.objects.values_list("id", "at")) == {"bat_a": HOUR, "bat_b": later, "bat_c": later}
    assert insert([]) == set()
