"""Thresholds are told once a period, whoever looks how often, also when a quota is changed in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from core.outbox.models import OutboxEvent
from tenants.limits.services import set_override
from tenants.usage import rolling, tasks, thresholds
from tenants.usage.models import ThresholdReached, UsageDay
from tests.cast import OPERATOR
from tests.core.test_outbox_threads import together as at_once
from tests.tenants.usage.world import NOW, batch_of

if TYPE_CHECKING:
    import redis
    from pytest_django import DjangoAssertNumQueries

    from tenants.models import Tenant

TODAY, MONTH = NOW.date(), datetime(2026, 12, 3, tzinfo=UTC)


def spend(tenant: Tenant, cost: int, on: date = TODAY) -> None:
    row, _ = UsageDay.objects.get_or_create(tenant=tenant, day=on, outcome="VALID", refused_by="")
    UsageDay.objects.filter(pk=row.pk).update(cost=cost, requests=cost)


def limit(tenant: Tenant, value: int, limited: str = "quota_per_day") -> None:
    set_override(actor=OPERATOR, tenant_id=tenant.pk, limited=limited, value=value, reason="test")


def told() -> list[tuple[str, int, int, int]]:
    rows = OutboxEvent.objects.filter(type=thresholds.EVENT).order_by("position")
    return [(row.data["limit"], row.data["level"], row.data["used"], row.data["allowance"]) for row in rows]


@pytest.fixture
def quotas(acme: Tenant) -> Tenant:
    """acme with a quota of 1,000 a day and none that matters a month."""
    limit(acme, 1_000)
    limit(acme, 1_000_000, "quota_per_month")
    return acme


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cost", "levels"), [(0, []), (799, []), (800, [80]), (899, [80]), (900, [80, 90]), (999, [80, 90]), (1_000, [80, 90, 100])]
)
def test_a_level_is_reached_at_its_very_number(quotas: Tenant, cost: int, levels: list[int]) -> None:
    spend(quotas, cost)
    assert thresholds.tell_reached([quotas.pk], now=NOW) == len(levels)
    assert told() == [("quota-day", level, cost, 1_000) for level in levels]


@pytest.mark.django_db
def test_each_level_is_told_once_a_period_with_what_one_must_know(quotas: Tenant) -> None:
    for cost in (850, 880, 950, 1_000, 5_000):
        spend(quotas, cost)
        thresholds.tell_reached([quotas.pk], now=NOW)
        thresholds.sweep(now=NOW)
    assert told() == [("quota-day", 80, 850, 1_000), ("quota-day", 90, 950, 1_000), ("quota-day", 100, 1_000, 1_000)]
    event = OutboxEvent.objects.filter(type=thresholds.EVENT).order_by("position")[0]
    assert (event.tenant_id, event.subject) == (quotas.pk, quotas.pk)
    expected: dict[str, Any] = {"tenant": quotas.pk, "period": "2026-11-26", "resets_at": "2026-11-27T00:00:00Z"}
    assert expected.items() <= event.data.items()
    spend(quotas, 800, NOW.date() + timedelta(days=1))
    thresholds.tell_reached([quotas.pk], now=NOW + timedelta(days=1))
    assert told()[3:] == [("quota-day", 80, 800, 1_000)]


@pytest.mark.django_db
def test_a_month_is_all_its_days_and_begins_anew(quotas: Tenant) -> None:
    limit(quotas, 1_000, "quota_per_month")
    for day, cost in ((1, 500), (20, 200), (26, 100)):
        spend(quotas, cost, date(2026, 11, day))
    assert thresholds.sweep(now=NOW) == 1
    assert told() == [("quota-month", 80, 800, 1_000)]
    assert ThresholdReached.objects.get().period == date(2026, 11, 1)
    assert thresholds.sweep(now=MONTH) == 0
    spend(quotas, 900, MONTH.date())
    assert thresholds.sweep(now=MONTH) == 4  # two of the day, two of the month


@pytest.mark.django_db
def test_a_quota_that_is_changed_tells_nothing_twice(quotas: Tenant) -> None:
    spend(quotas, 850)
    thresholds.sweep(now=NOW)
    limit(quotas, 10_000)
    assert thresholds.sweep(now=NOW) == 0
    spend(quotas, 8_500)
    assert thresholds.sweep(now=NOW) == 0  # 80 was told of this day
    limit(quotas, 9_000)
    assert thresholds.sweep(now=NOW) == 1
    assert told() == [("quota-day", 80, 850, 1_000), ("quota-day", 90, 8_500, 9_000)]
    limit(quotas, 0)
    assert thresholds.sweep(now=NOW) == 1
    assert told()[2:] == [("quota-day", 100, 8_500, 0)]


@pytest.mark.django_db
def test_no_quota_and_a_closed_tenant_are_not_told_of(acme: Tenant, globex: Tenant) -> None:
    type(acme.tier).objects.filter(pk=acme.tier_id).update(quota_per_month=None, quota_per_day=10**9)
    spend(acme, 10**8)
    spend(globex, 10**9)
    type(globex).objects.filter(pk=globex.pk).update(state="closed")
    assert thresholds.sweep(now=NOW) == 0
    assert told() == []


@pytest.mark.django_db
def test_a_crash_in_telling_leaves_neither_row_nor_event(quotas: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    spend(quotas, 900)
    really = thresholds.publish
    calls: list[str] = []

    def publish(**event: Any) -> Any:
        calls.append(event["type"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return really(**event)

    monkeypatch.setattr(thresholds, "publish", publish)
    with pytest.raises(KeyboardInterrupt):
        thresholds.sweep(now=NOW)
    assert (ThresholdReached.objects.count(), told()) == (0, [])
    assert thresholds.sweep(now=NOW) == 2
    assert [level for _, level, _, _ in told()] == [80, 90]


@pytest.mark.django_db(transaction=True)
def test_two_who_look_at_once_tell_once(quotas: Tenant, globex: Tenant) -> None:
    limit(globex, 1_000)
    spend(quotas, 1_000)
    spend(globex, 1_000)
    at_once(*[lambda: thresholds.sweep(now=NOW) and None] * 4)
    assert len(told()) == ThresholdReached.objects.filter(limit="quota-day").count() == 6


@pytest.mark.django_db
def test_tenants_with_nothing_new_cost_the_same_queries_whatever_their_number(
    quotas: Tenant, globex: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    spend(quotas, 900)
    thresholds.sweep(now=NOW)
    for ids in ([quotas.pk], [quotas.pk, globex.pk]):
        with django_assert_num_queries(4):
            thresholds.tell_reached(ids, now=NOW)


@pytest.mark.django_db
def test_the_clock_tells_right_after_the_roll_up(quotas: Tenant, clean_redis: redis.Redis) -> None:
    for one in (rolling.stream, rolling.known):
        one.cache_clear()
    rolling.stream().add(batch_of({(quotas.pk, "", 0, "VALID", ""): (1, 900)}, datetime.now(UTC)))
    assert cache.add(tasks.MARK, True, timeout=30)
    tasks.roll_up()  # another is at it
    assert told() == []
    cache.delete(tasks.MARK)
    tasks.roll_up()
    assert [level for _, level, _, _ in told()] == [80, 90]
    assert cache.add(tasks.MARK, True, timeout=30)
