"""What if: recorded minutes against a proposed limit, beside what holds now, and from there to an override."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from controlplane.console import usage_window, what_if
from tenants.limits.effective import Limited
from tenants.limits.models import LimitOverride
from tenants.models import Tenant
from tests.controlplane.console.made_up_usage import count

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 27, 12, 10, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _frozen(operator: Client) -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def page(client: Client, tenant: Tenant, **query: str) -> Any:
    return client.get(reverse("admin:tenants_tenant_usage", args=[tenant.pk]), query)


def asked(client: Client, tenant: Tenant, value: int, limited: str = "rate_per_second", **more: str) -> what_if.Answer:
    answer: what_if.Answer = page(client, tenant, limited=limited, value=str(value), **more).context["answer"]
    return answer


def loud(tenant: Tenant, minutes: int = 10) -> None:
    """1,200 requests a minute, of which a tier's rate of ten a second refuses half."""
    for ago in range(1, minutes + 1):
        count(tenant, NOW - ago * MINUTE, 600)
        count(tenant, NOW - ago * MINUTE, 600, "rate")


def test_a_rate_is_replayed_beside_the_one_that_holds(operator: Client, acme: Tenant, globex: Tenant) -> None:
    assert (acme.tier.rate_per_second, acme.tier.burst) == (10, 20)
    loud(acme)
    loud(globex)
    answer = asked(operator, acme, 20)
    assert (answer.name, answer.now.number, answer.proposed.number) == ("Rate", "10 a second", "20 a second")
    assert answer.requests == 12_000
    assert 5_900 <= answer.now.evenly <= 6_000  # half of all, but for the first burst
    assert answer.proposed.evenly == 0
    assert answer.proposed.at_once > answer.proposed.evenly
    assert (answer.chart.allowed, answer.chart.refused, answer.chart.line) == (12_000, 0, 1_200)
    lower = asked(operator, acme, 5)
    assert 8_900 <= lower.proposed.evenly <= 9_000
    assert lower.now == answer.now
    assert not LimitOverride.objects.exists()


def test_minutes_are_added_up_to_the_windows_stretches(operator: Client, acme: Tenant) -> None:
    loud(acme)
    count(acme, NOW - 3 * HOUR, 100)
    count(acme, NOW - 30 * HOUR, 7_000)
    by_hour = asked(operator, acme, 5, window="24h").chart
    assert [(column.begins.hour, column.allowed + column.refused) for column in by_hour.busy] == [(12, 12_000), (9, 100)]
    assert by_hour.line == 5 * 3_600
    by_minute = asked(operator, acme, 5, window="15m").chart
    assert (len(by_minute.columns), len(by_minute.busy)) == (15, 10)


@pytest.mark.parametrize(("limited", "before"), [("quota_per_day", 500), ("quota_per_month", 800)])
def test_a_quota_begins_with_what_was_used_of_its_period(operator: Client, acme: Tenant, limited: str, before: int) -> None:
    count(acme, NOW - 40 * DAY, 10_000)
    count(acme, NOW - 2 * DAY, 300)
    count(acme, NOW - 5 * HOUR, 450)
    count(acme, NOW - 40 * MINUTE, 40)  # of the hour before, and of the hour that runs
    count(acme, NOW.replace(minute=0), 10)
    since = usage_window.WINDOWS[0].begins(NOW + 5 * MINUTE)  # the window begins within the hour that runs
    assert (since.hour, since.minute) == (12, 1)
    with time_machine.travel(NOW + 5 * MINUTE, tick=False):
        count(acme, NOW, 100)
        assert asked(operator, acme, before + 100, limited).proposed.evenly == 0
        assert asked(operator, acme, before + 99, limited).proposed.evenly == 1
        assert asked(operator, acme, before, limited).proposed.evenly == 100


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limited": "rate_per_second", "value": "0"}, "value"),
        ({"limited": "rate_per_second", "value": str(2**31)}, "value"),
        ({"limited": "rate_per_second", "value": "x"}, "value"),
        ({"limited": "rate_per_second"}, "value"),
        ({"limited": "concurrency", "value": "5"}, "limited"),
        ({"limited": "", "value": "5"}, "limited"),
    ],
)
def test_what_is_wrong_is_said(operator: Client, acme: Tenant, query: dict[str, str], field: str) -> None:
    answer = page(operator, acme, **query)
    assert answer.status_code == 200
    assert list(answer.context["what_if_form"].errors) == [field]
    assert answer.context["answer"] is None


def test_nothing_is_replayed_unasked(operator: Client, acme: Tenant) -> None:
    answer = page(operator, acme)
    assert (answer.context["answer"], answer.context["what_if_form"].errors) == (None, {})


def test_from_there_to_an_override(operator: Client, viewer: Client, acme: Tenant) -> None:
    loud(acme)
    query = {"limited": Limited.RATE.value, "value": "20"}
    filled = page(operator, acme, **query).context["override_url"]
    assert parse_qs(urlsplit(filled).query) == {"limited": ["rate_per_second"], "value": ["20"], "ends": ["24h"], "from": ["usage"]}
    assert operator.get(filled).context["form"]["value"].value() == "20"
    assert page(viewer, acme, **query).context["answer"].requests == 12_000
    assert page(viewer, acme, **query).context["override_url"] == ""


def test_the_queries_do_not_grow_with_the_minutes(operator: Client, acme: Tenant, django_assert_num_queries: Any) -> None:
    loud(acme, minutes=1)
    page(operator, acme, limited="rate_per_second", value="20", window="24h")
    with CaptureQueriesContext(connection) as few:
        page(operator, acme, limited="rate_per_second", value="20", window="24h")
    queries = len(few)
    loud(acme, minutes=60)
    with django_assert_num_queries(queries):
        page(operator, acme, limited="rate_per_second", value="20", window="24h")
