"""What the rows tell: over time, who is loud, why, and how quotas stand; each tenant's own, in a fixed number of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tenants.usage import selectors
from tenants.usage.figures import Load, Point, Rank, Refusals, Span, Used, percent_of
from tenants.usage.models import UsageDay, UsageHour, UsageMinute, VersionHour
from tenants.usage.replay import Minute

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from tenants.keys.models import ApiKey
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, 12, 10, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AT = NOW.replace(second=0)


def minute(
    tenant: Tenant, ago: int, outcome: str = "VALID", refused_by: str = "", *, requests: int, cost: int | None = None
) -> None:
    UsageMinute.objects.create(
        tenant=tenant,
        minute=AT - ago * MINUTE,
        outcome=outcome,
        refused_by=refused_by,
        requests=requests,
        cost=requests if cost is None else cost,
    )


def hour(tenant: Tenant, ago: int, outcome: str = "VALID", refused_by: str = "", *, requests: int) -> None:
    at = NOW.replace(minute=0, second=0) - ago * HOUR
    UsageHour.objects.create(tenant=tenant, hour=at, outcome=outcome, refused_by=refused_by, requests=requests, cost=requests)


def day(tenant: Tenant, on: str, outcome: str = "VALID", *, cost: int) -> None:
    UsageDay.objects.create(tenant=tenant, day=on, outcome=outcome, requests=1, cost=cost)


def test_minutes_are_a_tenants_own_with_the_limit_that_refused(
    acme: Tenant, globex: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    minute(acme, 0, requests=5, cost=50)
    minute(acme, 2, requests=7)
    minute(acme, 2, "RATE_LIMITED", "rate", requests=3)
    minute(acme, 2, "RATE_LIMITED", "key-rate", requests=2)
    minute(acme, 2, "DISABLED", requests=1)
    minute(acme, 3, requests=999)
    minute(globex, 1, requests=4)
    with django_assert_num_queries(1):
        points = selectors.over_time(acme.pk, span=Span.MINUTE, since=NOW - 2 * MINUTE, until=NOW)
    assert points == [
        Point(AT - 2 * MINUTE, 7, 6, 7, {"rate": 3, "key-rate": 2, "disabled": 1}),
        Point(AT - MINUTE),
        Point(AT, 5, 0, 50),
    ]


def test_hours_and_days_end_before_until(acme: Tenant) -> None:
    hour(acme, 0, requests=2)
    hour(acme, 1, requests=3)
    day(acme, "2026-11-26", cost=4)
    day(acme, "2026-11-25", cost=6)
    hours = selectors.over_time(acme.pk, span=Span.HOUR, since=NOW - HOUR, until=NOW.replace(minute=0, second=0))
    assert [(point.at.hour, point.allowed) for point in hours] == [(11, 3)]
    midnight = NOW.replace(hour=0, minute=0, second=0)
    days = selectors.over_time(acme.pk, span=Span.DAY, since=NOW - timedelta(days=1), until=midnight)
    assert [(point.at.day, point.cost) for point in days] == [(25, 6)]
    assert len(selectors.over_time(acme.pk, span=Span.DAY, since=NOW - timedelta(days=1), until=NOW)) == 2


def test_more_points_than_a_week_of_minutes_are_not_made(acme: Tenant) -> None:
    with pytest.raises(ValueError, match="more than"):
        selectors.over_time(acme.pk, span=Span.MINUTE, since=NOW - timedelta(days=8), until=NOW)


def test_the_loudest_are_ranked_by_load_or_by_refusals(
    acme: Tenant, globex: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    minute(acme, 1, requests=10, cost=75)
    minute(acme, 1, "RATE_LIMITED", "rate", requests=4)
    minute(acme, 2, "USAGE_EXCEEDED", "quota-day", requests=3)
    minute(globex, 1, requests=25)
    minute(globex, 20, requests=9_999)
    window = {"since": NOW - 10 * MINUTE, "until": NOW}
    with django_assert_num_queries(3):
        found = selectors.top_tenants(**window)
    assert found == [Load(acme.pk, 10, 7, 75, 0.75, "rate"), Load(globex.pk, 25, 0, 25, 0.25)]
    assert [one.tenant_id for one in selectors.top_tenants(**window, most=1)] == [acme.pk]
    assert [one.tenant_id for one in selectors.top_tenants(**window, by=Rank.REFUSALS)] == [acme.pk]
    # Ten minutes and the half that was cut open: 630 seconds of a capacity of one.
    assert selectors.top_tenants(**window, capacity=1)[0].share == pytest.approx(75 / 630)


def test_a_long_window_is_read_off_the_hours(acme: Tenant) -> None:
    hour(acme, 20, requests=8)
    minute(acme, 1, requests=77)
    assert [one.allowed for one in selectors.top_tenants(since=NOW - 24 * HOUR, until=NOW)] == [8]
    assert selectors.top_tenants(since=NOW - 19 * HOUR, until=NOW) == []


def test_refusals_are_told_by_reason(acme: Tenant, globex: Tenant) -> None:
    hour(acme, 0, requests=9)
    hour(acme, 0, "RATE_LIMITED", "rate", requests=3)
    hour(acme, 5, "RATE_LIMITED", "rate", requests=2)
    hour(acme, 5, "EXPIRED", requests=6)
    hour(acme, 30, "FORBIDDEN", requests=6)
    hour(globex, 0, "RATE_LIMITED", "concurrency", requests=3)
    found = selectors.refusals_of(acme.pk, since=NOW - 24 * HOUR, until=NOW)
    assert found == [Refusals("EXPIRED", "", 6, 6), Refusals("RATE_LIMITED", "rate", 5, 5)]


def test_what_was_used_is_what_was_admitted_in_this_day_and_month(
    acme: Tenant, globex: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    day(acme, "2026-11-26", cost=40)
    day(acme, "2026-11-26", "RATE_LIMITED", cost=999)
    day(acme, "2026-11-01", cost=100)
    day(acme, "2026-10-31", cost=5_000)
    day(acme, "2026-11-27", cost=7_000)  # by a clock that was ahead
    with django_assert_num_queries(1):
        found = selectors.used_of([acme.pk, globex.pk], NOW)
    assert found == {acme.pk: Used(40, 140), globex.pk: Used()}


def test_quotas_stand_against_the_limits_that_hold(acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    from tenants.limits.services import set_override
    from tests.cast import OPERATOR

    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="quota_per_day", value=200, reason="test")
    day(acme, "2026-11-26", cost=199)
    with django_assert_num_queries(2):
        of_day, of_month = selectors.quota_uses_of([acme], NOW)[acme.pk]
    assert (of_day.name, of_day.used, of_day.allowance, of_day.percent) == ("quota-day", 199, 200, 99)
    assert of_day.resets_at == datetime(2026, 11, 27, tzinfo=UTC)
    assert (of_month.name, of_month.used, of_month.allowance) == ("quota-month", 199, acme.tier.quota_per_month)
    assert (of_month.begins_at, of_month.resets_at) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


@pytest.mark.parametrize(("used", "allowance", "percent"), [(0, 0, 0), (1, 0, 100), (5, None, 0), (99, 100, 99), (300, 100, 300)])
def test_percent_are_whole_and_rounded_down(used: int, allowance: int | None, percent: int) -> None:
    assert percent_of(used, allowance) == percent


def test_refusals_of_versions_are_by_outcome(key: ApiKey) -> None:
    version = key.versions.get()
    for ago, outcome, requests in ((0, "RATE_LIMITED", 2), (3, "RATE_LIMITED", 5), (3, "EXPIRED", 1), (30, "EXPIRED", 50)):
        at = NOW.replace(minute=0, second=0) - ago * HOUR
        VersionHour.objects.create(version=version, hour=at, outcome=outcome, requests=requests)
    found = selectors.refused_of_versions([version.pk, "kv_unknown"], since=NOW - 23 * HOUR)
    assert found == {version.pk: {"RATE_LIMITED": 7, "EXPIRED": 1}}


def test_minutes_for_a_replay_are_what_was_asked_of_the_limits(acme: Tenant) -> None:
    minute(acme, 1, requests=5, cost=9)
    minute(acme, 1, "RATE_LIMITED", "rate", requests=2)
    minute(acme, 1, "EXPIRED", requests=70)
    found = selectors.minutes_of(acme.pk, since=NOW - 5 * MINUTE, until=NOW)
    assert found == [Minute(int((AT - MINUTE).timestamp()) * 1_000_000, 7, 11)]
