"""How a tenant's own limits stand, and what was refused: beside what was allowed, by reason, in a fixed number of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controlplane.portal import usage_lines
from controlplane.portal.usage_lines import LimitLine
from tenants.limits.effective import Limited, Limits, rules_of
from tenants.limits.services import set_override
from tenants.usage.figures import Point, QuotaUse
from tenants.usage.models import UsageDay, UsageHour, UsageMinute
from tests.cast import OPERATOR
from tests.controlplane.portal.people import signed_in

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

NOW = datetime(2026, 11, 26, 18, 40, 20, tzinfo=UTC)
HOUR = NOW.replace(minute=0, second=0)
PAGE = "/portal/acme/usage/"


def refuse(tenant: Tenant, hours_ago: int, outcome: str, refused_by: str, requests: int) -> None:
    at = HOUR - timedelta(hours=hours_ago)
    UsageHour.objects.create(tenant=tenant, hour=at, outcome=outcome, refused_by=refused_by, requests=requests, cost=requests)


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_each_limit_tells_what_is_used_of_it_and_when_it_is_whole_again(viewer: Member, acme: Tenant) -> None:
    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="quota_per_day", value=20_000, reason="launch")
    UsageDay.objects.create(tenant=acme, day=NOW.date(), outcome="VALID", requests=17_000, cost=17_100)
    UsageMinute.objects.create(tenant=acme, minute=HOUR + timedelta(minutes=39), outcome="VALID", requests=130, cost=130)
    page = signed_in(viewer).get(PAGE)
    day, month, rate, flight = page.context_data["limits"]
    assert (day.name, day.used, day.allowance, day.percent, day.tone) == ("Quota of the day", 17_100, 20_000, 85, "warn")
    assert (day.resets_at, day.is_changed) == (datetime(2026, 11, 27, tzinfo=UTC), True)
    assert (month.used, month.allowance, month.is_changed) == (17_100, acme.tier.quota_per_month, False)
    assert (rate.used, rate.allowance) == (3, acme.tier.rate_per_second)
    assert flight.allowance == acme.tier.concurrency
    text = page.content.decode()
    assert "17,100 of 20,000 requests a day (UTC)" in text
    assert '<progress class="gauge warn" max="100" value="85"' in text
    assert "5 h 19 min" in text
    assert text.count("set for you") == 1
    assert "not enforced" not in text


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_what_was_refused_is_told_by_reason_and_stands_beside_what_was_allowed(
    viewer: Member, acme: Tenant, globex: Tenant
) -> None:
    from tests.controlplane.console.made_up_keys import made_up_key, use

    use(made_up_key(acme).versions.get(), [10] * 24)
    refuse(acme, 0, "RATE_LIMITED", "rate", 30)
    refuse(acme, 23, "RATE_LIMITED", "rate", 5)
    refuse(acme, 3, "EXPIRED", "", 2)
    refuse(acme, 24, "RATE_LIMITED", "concurrency", 1_000)
    refuse(globex, 0, "USAGE_EXCEEDED", "quota-day", 7_000)
    page = signed_in(viewer).get(PAGE)
    assert page.context_data["reasons"] == [("Faster than your rate", 35), ("The key's life was over", 2)]
    chart, text = page.context_data["chart"], page.content.decode()
    assert [(one.name, one.total) for one in chart.series] == [("refused", 37), ("allowed", 240)]
    assert chart.hours[-1].calls == (30, 10)
    assert "37 requests refused, by reason" in text
    assert "18:00 UTC, refused: 30 calls" in text
    assert "7,000" not in text


@pytest.mark.django_db
@time_machine.travel(HOUR, tick=False)
def test_the_page_is_there_in_the_very_moment_of_a_new_hour_and_with_nothing_to_tell(viewer: Member, acme: Tenant) -> None:
    refuse(acme, 0, "RATE_LIMITED", "rate", 1)
    page = signed_in(viewer).get(PAGE)
    assert page.context_data["chart"].hours[-1].calls == (1,)
    UsageHour.objects.all().delete()
    assert "Nothing was refused." in signed_in(viewer).get(PAGE).content.decode()


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_the_page_asks_the_same_queries_whatever_there_is(viewer: Member, acme: Tenant) -> None:
    client = signed_in(viewer)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    for ago in range(20):
        for name in ("rate", "quota-day", "concurrency"):
            refuse(acme, ago, "RATE_LIMITED", name, 1)
        UsageDay.objects.create(tenant=acme, day=NOW.date() - timedelta(days=ago), outcome="VALID", requests=9, cost=9)
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE)
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("used", "allowance", "percent", "tone"),
    [(0, 0, 0, ""), (79, 100, 79, ""), (80, 100, 80, "warn"), (100, 100, 100, "bad"), (500, 100, 100, "bad"), (5, None, 0, "")],
)
def test_a_bar_is_as_long_as_what_is_used_and_never_longer_than_its_frame(
    used: int, allowance: int | None, percent: int, tone: str
) -> None:
    line = LimitLine("Quota of the day", allowance, "requests", used)
    assert (line.percent, line.tone) == (percent, tone)


def test_every_limit_there_is_has_words_for_its_refusals() -> None:
    from tenants.keys.codes import Code
    from tenants.limits import spending
    from tenants.limits.effective import KeyLimits
    from tenants.usage.figures import reason_of

    key = KeyLimits(1, 1, 1, 1, 1)
    names = {rule.name for rule in rules_of(Limits(1, 1, 1, 1, 1), key)} | {
        reason_of(code, "") for code in Code if code != Code.VALID
    }
    assert names | {spending.PLATFORM, spending.PLATFORM_SLOTS} == set(usage_lines.REASONS)
    assert usage_lines.reasons_of([Point(NOW, refused=4, refusals={"<b>": 4})]) == [("<b>", 4)]


def test_a_limit_that_is_not_there_is_told_as_such() -> None:
    limits = Limits(10, 20, 100, None, None, overridden=frozenset({Limited.BURST}))
    quotas = [QuotaUse("quota-day", 5, 100, NOW, NOW), QuotaUse("quota-month", 5, None, NOW, NOW)]
    lines = usage_lines.lines_of(limits, quotas, Point(NOW, allowed=1, cost=61))
    assert [(line.allowance, line.used, line.is_changed) for line in lines] == [
        (100, 5, False),
        (None, 5, False),
        (10, 2, True),
        (None, None, False),
    ]
