"""The roll-up against a real Redis and database: each batch exactly once, whatever crashes where and whatever else is in the stream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import redis
from django.db import DataError, OperationalError

from core.ids import KEY, TENANT, new_id
from tenants.keys import evidence
from tenants.keys.models import KeyDay, KeyUse, KeyVersion, TenantHour
from tenants.usage import batches, counting, rolling
from tenants.usage.models import CountedBatch, UsageMinute, VersionHour
from tenants.usage.rolling import IDS_KEPT
from tenants.usage.stream import MOST_REFUSED, REFUSED, Stream
from tenants.usage.tally import FIELD, STREAM
from tests.core.test_outbox_threads import together as at_once
from tests.tenants.usage.world import NOW, Counts, batch_of, minutes, together

if TYPE_CHECKING:
    from tenants.keys.models import ApiKey
    from tenants.models import Tenant

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def stream(clean_redis: redis.Redis) -> Iterator[Stream]:
    made = rolling.stream, rolling.known
    for one in made:
        one.cache_clear()
    yield rolling.stream()
    for one in made:
        one.cache_clear()


def some_of(acme: Tenant, key: ApiKey) -> Counts:
    return {(acme.pk, key.pk, 1, "VALID", ""): (7, 9), (acme.pk, key.pk, 1, "RATE_LIMITED", "rate"): (2, 2)}


@pytest.mark.django_db
def test_batches_become_minutes_hours_and_days(acme: Tenant, globex: Tenant, key: ApiKey, stream: Stream) -> None:
    stream.add(batch_of(some_of(acme, key)))
    stream.add(batch_of(some_of(acme, key)))
    stream.add(batch_of(some_of(acme, key), NOW - MINUTE))
    stream.add(batch_of({(globex.pk, "", 0, "USAGE_EXCEEDED", "quota-day"): (5, 50)}, NOW - DAY))
    rolled = rolling.roll_up(now=NOW)
    assert (rolled.counted, rolled.repeated, rolled.refused, rolled.tenants) == (4, 0, 0, {acme.pk, globex.pk})
    assert minutes() == {
        (acme.pk, "26 12:10", "VALID", "", 14, 18),
        (acme.pk, "26 12:10", "RATE_LIMITED", "rate", 4, 4),
        (acme.pk, "26 12:09", "VALID", "", 7, 9),
        (acme.pk, "26 12:09", "RATE_LIMITED", "rate", 2, 2),
        (globex.pk, "25 12:10", "USAGE_EXCEEDED", "quota-day", 5, 50),
    }
    assert set(together().values()) == {(32, 83)}
    assert stream.waiting() == 0


@pytest.mark.django_db
def test_accepted_calls_go_into_the_keys_evidence_and_refused_ones_beside_it(acme: Tenant, key: ApiKey, stream: Stream) -> None:
    stream.add(batch_of(some_of(acme, key)))
    stream.add(batch_of(some_of(acme, key), NOW - HOUR))
    rolling.roll_up(now=NOW)
    version = key.versions.get()
    evidence.note_uses({version.pk: 1}, now=NOW)  # the same counters, from a call that was verified elsewhere
    assert set(KeyUse.objects.values_list("version_id", "hour", "calls")) == {
        (version.pk, datetime(2026, 11, 26, 12, tzinfo=UTC), 8),
        (version.pk, datetime(2026, 11, 26, 11, tzinfo=UTC), 7),
    }
    assert list(KeyDay.objects.values_list("tenant_id", "key_id", "calls", "cost")) == [(acme.pk, key.pk, 15, 18)]
    assert sum(TenantHour.objects.filter(tenant=acme).values_list("calls", flat=True)) == 15
    assert version.last_used_at == NOW.replace(second=0)
    assert set(VersionHour.objects.values_list("version_id", "outcome", "requests")) == {(version.pk, "RATE_LIMITED", 2)}
    assert VersionHour.objects.count() == 2


@pytest.mark.django_db
def test_the_last_use_never_goes_back_and_is_noted_once_a_minute(acme: Tenant, key: ApiKey, stream: Stream) -> None:
    for at in (NOW, NOW - 5 * MINUTE, NOW + 2 * MINUTE):
        stream.add(batch_of(some_of(acme, key), at))
        rolling.roll_up(now=NOW + 2 * MINUTE)
        assert key.versions.get().last_used_at == max(at, NOW).replace(second=0)


@pytest.mark.django_db
def test_a_batch_that_comes_twice_counts_once(acme: Tenant, key: ApiKey, stream: Stream) -> None:
    batch = batch_of(some_of(acme, key))
    stream.add(batch)
    stream.add(batch)  # the answer to the first was lost, and both are read at once
    assert rolling.roll_up(now=NOW).counted == 1
    stream.add(batch)  # and once more, after all was added up
    rolled = rolling.roll_up(now=NOW)
    assert (rolled.counted, rolled.repeated, rolled.tenants) == (0, 1, set())
    assert set(together().values()) == {(9, 11)}
    assert (KeyUse.objects.get().calls, stream.waiting()) == (7, 0)


@pytest.mark.django_db
def test_a_crash_between_commit_and_delete_counts_nothing_twice(
    acme: Tenant, key: ApiKey, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.add(batch_of(some_of(acme, key)))
    with monkeypatch.context() as patch:
        patch.setattr(Stream, "drop", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rolling.roll_up(now=NOW)
    assert (stream.waiting(), CountedBatch.objects.count()) == (1, 1)
    assert rolling.roll_up(now=NOW).repeated == 1
    assert (stream.waiting(), set(together().values())) == (0, {(9, 11)})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["_ADD_MINUTES", "_ADD_DAYS", "_ADD_VERSIONS", "_see"])
def test_a_crash_before_the_commit_leaves_nothing_counted(
    acme: Tenant, key: ApiKey, stream: Stream, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    stream.add(batch_of(some_of(acme, key)))
    with monkeypatch.context() as patch:
        patch.setattr(counting, where, lambda *_: (_ for _ in ()).throw(OperationalError("gone")))
        with pytest.raises(OperationalError):
            rolling.roll_up(now=NOW)
    assert (together()["minutes"], CountedBatch.objects.count(), KeyUse.objects.count(), stream.waiting()) == ((0, 0), 0, 0, 1)
    assert rolling.roll_up(now=NOW).counted == 1
    assert set(together().values()) == {(9, 11)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rubbish", "why"),
    [
        ({FIELD: b"\x01nonsense"}, "ends too early"),
        ({FIELD: b"\x02" + bytes(40)}, "another version"),
        ({"other": b"1"}, "another version"),
        ({FIELD: bytes(batches.MOST_BYTES + 1)}, "longer than"),
        ({FIELD: batch_of({}, NOW - IDS_KEPT - HOUR).body}, "older than 3 days"),
        ({FIELD: batch_of({}, NOW + DAY + HOUR).body}, "more than 1 day ahead"),
    ],
)
def test_what_is_no_batch_is_set_aside_and_told_and_holds_nobody_up(
    acme: Tenant,
    key: ApiKey,
    stream: Stream,
    clean_redis: redis.Redis,
    caplog: pytest.LogCaptureFixture,
    rubbish: dict[str, bytes],
    why: str,
) -> None:
    stream.add(batch_of(some_of(acme, key)))
    clean_redis.xadd(STREAM, rubbish)  # type: ignore[arg-type]
    stream.add(batch_of(some_of(acme, key)))
    rolled = rolling.roll_up(now=NOW)
    assert (rolled.counted, rolled.refused, stream.waiting()) == (2, 1, 0)
    ((_, kept),) = clean_redis.xrange(REFUSED)
    assert why in kept[b"why"].decode()
    assert len(kept[FIELD.encode()]) <= 64 * 1024
    told = [record for record in caplog.records if record.message == "a batch of usage was set aside"]
    assert [why in record.why for record in told] == [True]  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_the_place_for_what_is_no_batch_is_bounded(stream: Stream, clean_redis: redis.Redis) -> None:
    for _ in range(MOST_REFUSED + 20):
        clean_redis.xadd(STREAM, {FIELD: b"nonsense"})
    assert rolling.roll_up(now=NOW).refused == MOST_REFUSED + 20
    assert (clean_redis.xlen(REFUSED), stream.waiting()) == (MOST_REFUSED, 0)


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_the_database_does_not_take_holds_no_other_up(
    acme: Tenant, key: ApiKey, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = batch_of({(acme.pk, "", 0, "VALID", ""): (666, 666)})
    really = counting.add_up

    def add_up(found: list[batches.Contents], *args: object) -> set[str]:
        if any(contents.id == poison.id for contents in found):
            raise DataError("out of range")
        return really(found, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "add_up", add_up)
    for batch in (batch_of(some_of(acme, key)), poison, batch_of(some_of(acme, key))):
        stream.add(batch)
    rolled = rolling.roll_up(now=NOW)
    assert (rolled.counted, rolled.refused, stream.waiting()) == (2, 1, 0)
    assert set(together().values()) == {(18, 22)}
    assert not CountedBatch.objects.filter(pk=poison.id).exists()


@pytest.mark.django_db
def test_what_is_nobody_s_or_names_another_tenant_s_key_is_left_out_and_told(
    acme: Tenant, globex: Tenant, key: ApiKey, stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    stream.add(
        batch_of(
            {
                (new_id(TENANT), "", 0, "VALID", ""): (100, 100),
                (globex.pk, key.pk, 1, "VALID", ""): (200, 200),
                (globex.pk, new_id(KEY), 1, "VALID", ""): (3, 3),
                (acme.pk, key.pk, 77, "VALID", ""): (4, 4),
            }
        )
    )
    rolling.roll_up(now=NOW)
    assert {(row[0], row[4]) for row in minutes()} == {(globex.pk, 3), (acme.pk, 4)}
    assert KeyUse.objects.count() == TenantHour.objects.count() == 0
    assert [record.requests for record in caplog.records if "left out" in record.message] == [300]  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_a_batch_whose_clock_is_ahead_counts_for_now(acme: Tenant, key: ApiKey, stream: Stream) -> None:
    stream.add(batch_of(some_of(acme, key), NOW + HOUR))
    rolling.roll_up(now=NOW)
    assert {row[1] for row in minutes()} == {"26 12:10"}
    assert key.versions.get().last_used_at == NOW.replace(second=0)


@pytest.mark.django_db
def test_a_stream_that_fills_is_told(stream: Stream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(rolling, "MOST_WAITING", 4)
    for _ in range(2):
        stream.add(batch_of({}))
    rolling.roll_up(now=NOW)
    assert not caplog.records
    for _ in range(3):
        stream.add(batch_of({}))
    rolling.roll_up(now=NOW)
    assert ["will be lost" in record.message for record in caplog.records] == [True]


@pytest.mark.django_db(transaction=True)
def test_two_workers_and_callers_who_count_at_once_lose_and_double_nothing(acme: Tenant, globex: Tenant, stream: Stream) -> None:
    from tests.controlplane.console.made_up_keys import made_up_key

    keys = [made_up_key(tenant, "one") for tenant in (acme, globex) for _ in range(10)]
    versions = [key.versions.get() for key in keys]
    dice = random.Random(5)
    for _ in range(150):
        some = dice.sample(keys, 8)
        batch = batch_of({(key.tenant_id, key.pk, 1, "VALID", ""): (1, 2) for key in some}, NOW - dice.randint(0, 3) * HOUR)
        for _ in range(dice.choice((1, 2))):
            stream.add(batch)
    rolled: list[int] = []

    def roll() -> None:
        rolled.append(rolling.roll_up(now=NOW).counted)

    def call() -> None:
        for version in dice.sample(versions, 15):
            evidence.note_uses({version.pk: 1}, now=NOW)

    at_once(roll, roll, call, roll)
    assert sum(rolled) == CountedBatch.objects.count() == 150
    assert set(together().values()) == {(1_200, 2_400)}
    assert sum(KeyUse.objects.values_list("calls", flat=True)) == 1_215
    assert sum(KeyDay.objects.values_list("calls", flat=True)) == sum(TenantHour.objects.values_list("calls", flat=True)) == 1_215
    assert stream.waiting() == 0


@pytest.mark.django_db(transaction=True)
def test_a_version_that_somebody_holds_is_not_waited_for(acme: Tenant, key: ApiKey, stream: Stream) -> None:
    from django.db import connection, transaction

    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no locks on rows")
    stream.add(batch_of(some_of(acme, key)))
    with transaction.atomic():
        list(KeyVersion.objects.select_for_update().filter(key=key))
        list(type(key).objects.select_for_update().filter(pk=key.pk))
        list(type(acme).objects.select_for_update().filter(pk=acme.pk))
        at_once(lambda: rolling.roll_up(now=NOW) and None)
    assert UsageMinute.objects.count() == 2
    assert key.versions.get().last_used_at is None


@pytest.mark.django_db
def test_a_redis_that_lost_its_data_costs_what_waited_and_no_more(
    acme: Tenant, key: ApiKey, stream: Stream, clean_redis: redis.Redis
) -> None:
    stream.add(batch_of(some_of(acme, key)))
    rolling.roll_up(now=NOW)
    stream.add(batch_of(some_of(acme, key)))
    clean_redis.flushdb()
    assert rolling.roll_up(now=NOW).counted == 0
    stream.add(batch_of(some_of(acme, key)))
    assert rolling.roll_up(now=NOW).counted == 1
    assert set(together().values()) == {(18, 22)}
