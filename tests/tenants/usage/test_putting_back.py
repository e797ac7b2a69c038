"""Quotas after Redis was lost: what was counted is used again, and nothing that Redis knows is lowered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.keys.codes import Code
from tenants.keys.models import ApiKey, KeyDay
from tenants.limits import projecting, putting_back
from tenants.limits.effective import KeyLimits, Limits
from tenants.limits.models import KeyLimit
from tenants.limits.spending import SCRIPT, SPENT, Bill, Drawn, arguments, place_of, read_reply
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


def limited(tenant: Tenant, pk: str, **quotas: int | None) -> None:
    """A key with limits of its own; what it was charged is counted elsewhere."""
    now = timezone.now()
    ApiKey.objects.create(
        pk=pk, tenant=tenant, public_id=pk, brand="cpk", environment="live", name=pk, created_by="test", created_at=now
    )
    KeyLimit.objects.create(key_id=pk, set_by="test", set_at=now, **quotas)


def charged(tenant: Tenant, pk: str, day: datetime, cost: int) -> None:
    KeyDay.objects.create(tenant=tenant, key_id=pk, day=day.date(), calls=2 * cost, cost=cost)


def left_of_key(client: redis.Redis, tenant: Tenant, pk: str, limits: KeyLimits) -> dict[str, int]:
    bill = Bill(tenant.pk, LIMITS, pk, limits, cost=0)
    keys, argv = arguments(bill)
    standings = read_reply(bill, client.eval(SCRIPT, len(keys), *keys, *argv)).decision.standings
    return {one.name: one.remaining for one in standings if one.name.startswith("key-quota")}


def test_keys_quotas_come_back_too(clean_redis: redis.Redis, acme: Tenant) -> None:
    today = timezone.now().astimezone(UTC)
    limited(acme, "key_both", quota_per_day=50, quota_per_month=500)
    limited(acme, "key_rate", rate_per_second=5, burst=5)
    for pk in ("key_both", "key_rate"):
        charged(acme, pk, today, 20)
        charged(acme, pk, today.replace(day=1) - timedelta(days=1), 400)
    assert projecting.ensure()
    limits = KeyLimits(None, None, 50, 500, None)
    assert left_of_key(clean_redis, acme, "key_both", limits) == {"key-quota-day": 30, "key-quota-month": 480}
    assert not clean_redis.exists(SPENT + place_of("key_rate"))  # of a quota that is not there nobody asks
    charged(acme, "key_both", today - timedelta(days=60), 1)
    for _ in range(2):
        assert putting_back.put_back_keys(clean_redis, ["key_both"], timezone.now()) == 1
    assert left_of_key(clean_redis, acme, "key_both", limits)["key-quota-day"] == 30


def test_a_thousand_keys_take_one_question(clean_redis: redis.Redis, acme: Tenant) -> None:
    with CaptureQueriesContext(connection) as asked:
        putting_back.put_back_keys(clean_redis, [f"key_{number}" for number in range(1_000)], timezone.now())
    assert len(asked) == 1
