"""Who is noisy, and a tenant's usage: what was counted, whose it was, and where an override is filled in from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from controlplane.console import usage_chart, usage_window
from tenants.limits.services import set_override
from tenants.models import Tenant
from tests.cast import OPERATOR
from tests.controlplane.console.made_up_usage import count, flood

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 27, 12, 10, 30, tzinfo=UTC)
LOAD = reverse("admin:load")


@pytest.fixture(autouse=True)
def _frozen(operator: Client) -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def usage(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_usage", args=[tenant.pk])


def lines(client: Client, **query: str) -> list[tuple[str, int, int, str]]:
    found = client.get(LOAD, query).context["lines"]
    return [(line.tenant.slug, line.load.allowed, line.load.refused, line.refused_by) for line in found]


@pytest.mark.parametrize(("name", "words"), [("platform", "Platform"), ("platform-concurrency", "Platform, in flight")])
def test_a_platform_that_is_full_is_told_as_such(operator: Client, acme: Tenant, name: str, words: str) -> None:
    count(acme, NOW, 2)
    count(acme, NOW, 1, name)
    assert lines(operator) == [("acme", 2, 1, words)]


def test_the_loudest_come_first_with_what_refused_them(operator: Client, acme: Tenant, globex: Tenant, initech: Tenant) -> None:
    count(acme, NOW, 100)
    count(globex, NOW, 900)
    count(acme, NOW, 40, "rate")
    count(acme, NOW, 5, "quota-day", outcome="USAGE_EXCEEDED")
    count(globex, NOW, 3, "key-rate")
    count(initech, NOW - timedelta(minutes=30), 5_000)
    assert lines(operator) == [("globex", 900, 3, "Rate of a key"), ("acme", 100, 45, "Rate")]
    assert [slug for slug, *_ in lines(operator, by="refusals")] == ["acme", "globex"]
    assert [slug for slug, *_ in lines(operator, window="1h")] == ["initech", "globex", "acme"]
    assert [slug for slug, *_ in lines(operator, window="24h")] == ["initech", "globex", "acme"]
    assert lines(operator, window="nonsense", by="<script>") == lines(operator)


def test_each_line_leads_to_the_tenants_usage_over_the_same_time(operator: Client, acme: Tenant) -> None:
    count(acme, NOW, 100)
    body = operator.get(LOAD, {"window": "1h"}).content.decode()
    assert f'href="{usage(acme)}?window=1h"' in body
    assert "100 allowed, 0 refused" in body


def test_shares_are_of_the_capacity_where_it_is_known(operator: Client, acme: Tenant, globex: Tenant, settings: Any) -> None:
    count(acme, NOW, 300)
    count(globex, NOW, 100)
    assert [round(line.percent) for line in operator.get(LOAD).context["lines"]] == [75, 25]
    settings.CAPACITY_PER_SECOND = 10
    seconds = 14 * 60 + 30  # what has passed of the last of the fifteen minutes counts as it is
    expected = [round(100 * cost / (10 * seconds), 1) for cost in (300, 100)]
    answer = operator.get(LOAD)
    assert [round(line.percent, 1) for line in answer.context["lines"]] == expected
    assert "shares of 10 a second" in answer.content.decode()


def test_nobody_there_is_said(operator: Client, viewer: Client, acme: Tenant) -> None:
    assert "Nobody has asked for anything" in viewer.get(LOAD).content.decode()
    assert "Nobody was refused" in operator.get(LOAD, {"by": "refusals"}).content.decode()
    assert "No edge has counted a request" in operator.get(usage(acme)).content.decode()


def test_the_moving_part_is_asked_for_as_the_page_was(operator: Client, acme: Tenant) -> None:
    count(acme, NOW, 100)
    live = operator.get(LOAD, {"window": "24h", "by": "refusals"}).context["live_url"]
    assert parse_qs(urlsplit(live).query) == {"window": ["24h"], "by": ["refusals"]}
    first = operator.get(live)
    assert "<html" not in first.content.decode()
    assert operator.get(live, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("where", ["load", "usage"])
def test_the_queries_do_not_grow_with_the_rows(
    operator: Client, acme: Tenant, globex: Tenant, initech: Tenant, where: str, django_assert_num_queries: Any
) -> None:
    address = LOAD if where == "load" else usage(acme)
    count(acme, NOW, 10)
    operator.get(address)
    with CaptureQueriesContext(connection) as few:
        operator.get(address)
    queries = len(few)
    for tenant in (acme, globex, initech):
        flood(tenant, NOW, minutes=15, allowed=50, refused=9)
        flood(tenant, NOW, minutes=15, allowed=1, refused=2, limit="key-rate")
    with django_assert_num_queries(queries):
        assert operator.get(address).status_code == 200
    assert queries < 20


def test_a_tenants_usage_is_its_own_with_the_limits_line(operator: Client, acme: Tenant, globex: Tenant) -> None:
    count(acme, NOW, 100)
    count(acme, NOW - timedelta(minutes=3), 20, "rate")
    count(globex, NOW, 7_000)
    chart = operator.get(usage(acme)).context["chart"]
    assert (chart.allowed, chart.refused, len(chart.columns)) == (100, 20, 15)
    assert chart.columns[-1].begins == NOW.replace(second=0)
    assert [(column.begins.minute, column.allowed, column.refused) for column in chart.busy] == [(10, 100, 0), (7, 0, 20)]
    assert chart.line == acme.tier.rate_per_second * 60
    by_hour = operator.get(usage(acme), {"window": "24h"}).context["chart"]
    assert (len(by_hour.columns), by_hour.line) == (24, acme.tier.rate_per_second * 3_600)
    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="rate_per_second", value=2, reason="too loud")
    assert operator.get(usage(acme)).context["chart"].line == 120


def test_an_override_is_filled_in_from_a_refusal(operator: Client, viewer: Client, acme: Tenant) -> None:
    count(acme, NOW, 30, "rate")
    count(acme, NOW, 10, "key-rate")
    count(acme, NOW, 5, outcome="DISABLED")
    answer = operator.get(usage(acme))
    found = [(line.name, line.requests, bool(line.override_url)) for line in answer.context["refusals"]]
    assert found == [("Rate", 30, True), ("Rate of a key", 10, False), ("Disabled", 5, False)]
    address = answer.context["refusals"][0].override_url
    form = operator.get(address).context["form"]
    assert (form["limited"].value(), form["value"].value(), form["ends"].value()) == (
        "rate_per_second",
        str(acme.tier.rate_per_second),
        "24h",
    )
    plan = operator.get(address).context["plan"]
    asked = {"plan": plan, "limited": "rate_per_second", "value": "77", "ends": "24h", "reason": "it floods"}
    assert operator.post(address, asked).url == usage(acme)
    assert address not in viewer.get(usage(acme)).content.decode().replace("&amp;", "&")


def test_a_line_far_above_does_not_make_the_columns_flat() -> None:
    points = [(NOW, 10, 0), (NOW, 90, 10)]
    near = usage_chart.chart_of(points, 200)
    assert (near.top, near.line_at, near.columns[1].allowed_height) == (200, 100.0, 45.0)
    far = usage_chart.chart_of(points, 100_000)
    assert (far.top, far.line_at, far.columns[1].allowed_height) == (100, None, 90.0)
    assert usage_chart.chart_of([]).top >= 1


@given(
    asked=st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), max_size=60),
    line=st.none() | st.integers(0, 10**13),
)
def test_nothing_is_drawn_outside_of_the_plot(asked: list[tuple[int, int]], line: int | None) -> None:
    chart = usage_chart.chart_of([(NOW, allowed, refused) for allowed, refused in asked], line)
    assert all(0 <= column.allowed_height + column.refused_height <= 100.01 for column in chart.columns)
    assert chart.line_at is None or 0 <= chart.line_at <= 100
    assert (chart.allowed, chart.refused) == (sum(one for one, _ in asked), sum(one for _, one in asked))
    drawn = [
        *(allowed + refused for allowed, refused in asked),
        *([line] if line is not None and chart.line_at is not None else []),
    ]
    assert all(number <= chart.top for number in drawn)


@pytest.mark.parametrize("window", usage_window.WINDOWS, ids=lambda window: window.word)
def test_a_window_ends_with_the_stretch_that_runs(window: usage_window.Window) -> None:
    begins = window.begins(NOW)
    last = begins + (window.places - 1) * window.step
    assert last <= NOW < last + window.step
    assert begins.timestamp() % window.step.total_seconds() == 0


@pytest.mark.parametrize("make", [lambda client, tenant: client.get(LOAD), lambda client, tenant: client.get(usage(tenant))])
def test_only_those_who_may_enter_see_it(password_only: Client, acme: Tenant, make: Callable[[Client, Tenant], Any]) -> None:
    assert make(password_only, acme).status_code == 302
    assert make(Client(), acme).status_code == 302
