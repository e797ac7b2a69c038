"""Quotas after Redis was lost: what was counted is used again, and nothing that Redis knows is lowered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import redis
from django.utils import timezone

from tenants.keys.codes import Code
from tenants.limits import projecting, putting_back
from tenants.limits.effective import Limits
from tenants.limits.spending import SCRIPT, Bill, Drawn, arguments, read_reply
from tenants.usage.models import UsageDay

if TYPE_CHECKING:
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
LIMITS = Limits(10_000, 10_000, 100, 1_000)


@pytest.fixture(autouse=True)
def board(clean_redis: redis.Redis) -> Iterator[None]:
    projecting.board.cache_clear()
    yield
    projecting.board.cache_clear()


def ask(client: redis.Redis, tenant: Tenant, cost: int = 0) -> Drawn:
    bill = Bill(tenant.pk, LIMITS, cost=cost)
    keys, argv = arguments(bill)
    return read_reply(bill, client.eval(SCRIPT, len(keys), *keys, *argv))


def left(client: redis.Redis, tenant: Tenant) -> dict[str, int]:
    return {one.name: one.remaining for one in ask(client, tenant).decision.standings}


def count(tenant: Tenant, day: datetime, cost: int, outcome: Code = Code.VALID) -> None:
    UsageDay.objects.create(tenant=tenant, day=day.date(), outcome=outcome, refused_by="", requests=cost, cost=cost)


def test_a_rebuild_puts_back_what_was_counted(clean_redis: redis.Redis, acme: Tenant, globex: Tenant) -> None:
    today = timezone.now().astimezone(UTC)
    count(acme, today, 60)
    count(acme, today, 999, Code.RATE_LIMITED)
    count(acme, today.replace(day=1) - timedelta(days=1), 500)
    assert projecting.ensure()
    assert left(clean_redis, acme) == {"rate": 10_000, "quota-day": 40, "quota-month": 940}
    assert left(clean_redis, globex) == {"rate": 10_000, "quota-day": 100, "quota-month": 1_000}
    assert ask(clean_redis, acme, cost=41).refused_by == "quota-day"
    assert ask(clean_redis, acme, cost=40).is_admitted


def test_what_redis_knows_of_more_use_stays(clean_redis: redis.Redis, acme: Tenant) -> None:
    count(acme, timezone.now().astimezone(UTC), 60)
    assert ask(clean_redis, acme, cost=70).is_admitted
    for _ in range(2):
        putting_back.put_back(clean_redis, [acme.pk], timezone.now())
        assert left(clean_redis, acme)["quota-day"] == 30
    assert ask(clean_redis, acme, cost=31).refused_by == "quota-day"


def test_a_period_that_is_over_is_not_put_into_the_next(clean_redis: redis.Redis, acme: Tenant) -> None:
    yesterday = timezone.now().astimezone(UTC) - timedelta(days=1)
    count(acme, yesterday, 60)
    putting_back.put_back(clean_redis, [acme.pk], timezone.now())
    assert left(clean_redis, acme)["quota-day"] == 100


def test_what_was_put_back_is_forgotten_when_it_says_nothing_any_more(clean_redis: redis.Redis, acme: Tenant) -> None:
    count(acme, timezone.now().astimezone(UTC), 60)
    assert putting_back.put_back(clean_redis, [acme.pk], timezone.now()) == 1
    (name,) = clean_redis.scan_iter(match="edge:spent:*")
    assert 0 < clean_redis.pttl(name) <= 33 * 86_400_000
