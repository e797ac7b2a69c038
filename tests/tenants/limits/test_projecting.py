"""The projection in a real Redis: true after each change, gone with Redis, back by itself, and never a revoked key in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import redis
from django.utils import timezone

from core.ids import new_id
from core.outbox.models import OutboxEvent
from core.outbox.relay import relay
from tenants.facts import FailPolicy
from tenants.keys import endings
from tenants.keys.models import ApiKey, KeyState, KeyVersion
from tenants.limits import projecting, projection, selectors, tasks
from tenants.limits.board import EPOCH, Board
from tenants.limits.effective import KeyLimits
from tenants.limits.projection import HALF, KeyRecord, Kind, Standing, TenantRecord
from tenants.limits.services import set_key_limit, set_override
from tenants.services import update_tier
from tests.cast import OPERATOR
from tests.services import Valkey

if TYPE_CHECKING:
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def board(clean_redis: redis.Redis) -> Iterator[Board]:
    make = projecting.board
    make.cache_clear()
    yield make()
    make.cache_clear()


def known(version: KeyVersion) -> KeyRecord | None:
    """What an edge would read of a version; raises LookupError where no epoch holds."""
    digest = bytes.fromhex(version.digest)
    found = projecting.board().read([(Kind.KEY, digest[:HALF])])
    if found is None:
        raise LookupError
    return projection.unpack_key(found.records[0], digest) if found.records[0] else None


def tenant_known(tenant: Tenant) -> TenantRecord | None:
    found = projecting.board().read([(Kind.TENANT, projection.pack_id(tenant.pk))])
    assert found is not None
    return projection.unpack_tenant(found.records[0]) if found.records[0] else None


def revoke(key: ApiKey) -> None:
    endings.end(key, to=KeyState.REVOKED, because="test", actor=OPERATOR, reason="test")


def version_of(key: ApiKey) -> KeyVersion:
    return key.versions.get(stage="current")


def test_a_missing_projection_is_built_once_and_says_what_the_rows_say(key: ApiKey, acme: Tenant) -> None:
    version = version_of(key)
    with pytest.raises(LookupError):
        known(version)
    tasks.project()
    assert projecting.ensure() is False
    record = known(version)
    assert record is not None
    assert (record.tenant_id, record.key_id, record.number) == (acme.pk, key.pk, version.number)
    assert (record.standing, record.ends_at) == (Standing.SERVED, int(version.expires_at.timestamp()))
    assert record.digest.hex() == version.digest
    assert tenant_known(acme) == TenantRecord(Standing.SERVED, selectors.effective_limits(acme))


def test_words_of_scopes_are_found_by_the_records_id(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(scopes=["events:write", "events:read"], cidrs=["10.0.0.0/8", "2001:db8::/32"])
    set_key_limit(actor=OPERATOR, tenant_id=key.tenant_id, key_id=key.pk, reason="rig", rate_per_second=5)
    projecting.ensure()
    record = known(version_of(key))
    assert record is not None
    assert (record.cidrs, record.limits) == (("10.0.0.0/8", "2001:db8::/32"), KeyLimits(5, 5))
    half = bytes.fromhex(version_of(key).digest)[:HALF]
    raw = projecting.board().read([(Kind.KEY, half)])
    assert raw is not None
    words = projecting.board().read([(Kind.SCOPES, projection.scopes_in(raw.records[0] or b""))])
    assert words is not None
    assert projection.unpack_scopes((words.records[0] or b"")[projection.STAMP_BYTES :]) == ("events:read", "events:write")


def test_events_carry_every_change_to_it(key: ApiKey, acme: Tenant) -> None:
    projecting.ensure()
    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="rate_per_second", value=77, reason="launch")
    update_tier(actor=OPERATOR, code="basic", fail_policy="closed", quota_per_month=None, reason="new offer")
    relay()
    record = tenant_known(acme)
    assert record is not None
    assert (record.limits.rate_per_second, record.limits.quota_per_month) == (77, None)
    assert record.limits.fail_policy is FailPolicy.CLOSED
    type(acme).objects.filter(pk=acme.pk).update(state="suspended")
    projecting.refresh_tenants(type(acme).objects.filter(pk=acme.pk))
    assert (tenant_known(acme) or record).standing is Standing.HALTED
    revoke(key)
    relay()
    assert known(version_of_any(key)) is None


def version_of_any(key: ApiKey) -> KeyVersion:
    return key.versions.latest("number")


def test_a_disabled_key_and_one_in_its_overlap_are_told_as_they_are(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(state="disabled")
    soon = timezone.now() + timedelta(minutes=5)
    KeyVersion.objects.filter(key=key).update(stage="previous", retires_at=soon)
    projecting.ensure()
    record = known(version_of_any(key))
    assert record is not None
    assert (record.standing, record.ends_at) == (Standing.HALTED, int(soon.timestamp()))


def test_a_version_that_has_ended_is_gone_though_its_key_lives(key: ApiKey) -> None:
    KeyVersion.objects.filter(key=key).update(stage="previous", retires_at=timezone.now() + timedelta(minutes=5))
    projecting.ensure()
    endings.retire(version_of_any(key), because="test", actor=OPERATOR)
    relay()
    assert known(version_of_any(key)) is None
    assert projecting.ensure() is False


def test_a_revoked_key_stays_revoked_through_a_flush(key: ApiKey, clean_redis: redis.Redis) -> None:
    projecting.ensure()
    revoke(key)
    relay()
    clean_redis.flushdb()
    with pytest.raises(LookupError):
        known(version_of_any(key))
    assert projecting.ensure() is True
    assert known(version_of_any(key)) is None


def test_a_redis_that_came_back_with_an_older_snapshot_is_not_believed(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    valkey = Valkey()
    valkey.start()
    try:
        client = redis.Redis.from_url(valkey.url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 100))
        own = Board(client)
        monkeypatch.setattr(projecting, "board", lambda: own)
        client.ping()
        projecting.ensure()
        assert known(version_of(key)) is not None
        client.save()  # the snapshot, with the key in it
        revoke(key)
        relay()
        assert known(version_of_any(key)) is None
        valkey.kill()
        valkey.start()
        client.ping()
        assert client.exists(EPOCH), "the snapshot was loaded"
        with pytest.raises(LookupError):
            known(version_of_any(key))
        assert projecting.ensure() is True
        assert known(version_of_any(key)) is None
    finally:
        valkey.stop()


def test_a_build_through_a_restart_does_not_hold(db: None) -> None:
    valkey = Valkey()
    valkey.start()
    try:
        client = redis.Redis.from_url(valkey.url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 100))
        own = Board(client)
        client.ping()
        build = own.begin()
        assert build is not None
        client.save()
        valkey.kill()
        valkey.start()
        own.finish(build)
        assert own.epoch() is None
    finally:
        valkey.stop()


def test_a_builder_that_read_a_key_before_its_end_does_not_bring_it_back(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    read = projecting._records_of
    done: list[bool] = []

    def read_and_oversleep(versions: Any, stamp: int) -> Any:
        records = read(versions, stamp)
        if not done:
            done.append(True)
            revoke(key)
            projecting.refresh_versions(KeyVersion.objects.filter(key=key))
        return records

    monkeypatch.setattr(projecting, "_records_of", read_and_oversleep)
    assert projecting.ensure() is True
    assert known(version_of_any(key)) is None


@pytest.mark.parametrize("lost", ["flushed", "restarted"])
def test_a_writer_that_overslept_a_rebuild_does_not_bring_a_key_back(
    key: ApiKey, clean_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    projecting.ensure()
    read = projecting._records_of
    done: list[bool] = []

    def read_and_oversleep(versions: Any, stamp: int) -> Any:
        records = read(versions, stamp)
        if not done:
            done.append(True)
            clean_redis.flushdb() if lost == "flushed" else clean_redis.delete(EPOCH)
            revoke(key)
            assert projecting.ensure() is True
        return records

    monkeypatch.setattr(projecting, "_records_of", read_and_oversleep)
    projecting.refresh_versions(KeyVersion.objects.filter(key=key))
    assert known(version_of_any(key)) is None


def test_a_flush_while_it_is_built_makes_it_begin_anew(
    key: ApiKey, clean_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = projecting._records_of

    def read_and_flush(versions: Any, stamp: int) -> Any:
        clean_redis.flushdb()
        return read(versions, stamp)

    with monkeypatch.context() as patched:
        patched.setattr(projecting, "_records_of", read_and_flush)
        assert projecting.ensure() is False
    with pytest.raises(LookupError):
        known(version_of(key))
    assert projecting.ensure() is True
    assert known(version_of(key)) is not None


def test_one_builds_at_a_time_and_what_was_there_before_is_removed(key: ApiKey, board: Board, clean_redis: redis.Redis) -> None:
    projecting.ensure()
    before = set(clean_redis.keys("edge*"))
    clean_redis.delete(EPOCH)
    build = board.begin()
    assert build is not None
    assert board.begin() is None
    assert projecting.ensure() is False
    board.finish(build)
    fixed = {b"edge:epoch", b"edge:stamp", b"edge:weights"}
    left = set(clean_redis.keys("edge*")) - fixed
    assert before - left - fixed
    assert left == set()


def test_who_still_removes_what_was_before_leaves_a_later_epoch_alone(
    key: ApiKey, board: Board, clean_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing takes a while; Redis may be flushed in it, and somebody else may have built again."""
    projecting.ensure()
    clean_redis.delete(EPOCH)
    build = board.begin()
    assert build is not None
    scan = board._redis.scan_iter

    def scan_late(**given: Any) -> Iterator[bytes]:
        monkeypatch.undo()
        clean_redis.flushdb()
        assert projecting.ensure() is True
        yield from scan(**given)

    monkeypatch.setattr(board._redis, "scan_iter", scan_late)
    board.finish(build)
    assert known(version_of(key)) is not None


def test_of_two_writers_the_later_stamp_wins_in_either_order(board: Board) -> None:
    build = board.begin()
    assert build is not None
    name = (Kind.TENANT, projection.pack_id(new_id("tnt")))
    first, second = board.draw_stamp(), board.draw_stamp()
    living = projection.pack_tenant(TenantRecord(Standing.SERVED, selectors.Limits(1, 1, 1)), first)
    assert board.write_in(build.epoch, {name: projection.gone(second)}) == 1
    assert board.write_in(build.epoch, {name: living}) == 0
    board.finish(build)
    found = board.read([name])
    assert found is not None
    assert found.records == (projection.gone(second),)


def test_nothing_personal_and_no_key_is_in_it(key: ApiKey, acme: Tenant, clean_redis: redis.Redis) -> None:
    projecting.ensure()
    everything = b"\0".join(name + (clean_redis.get(name) or b"") for name in clean_redis.keys("edge*"))
    for text in (
        acme.slug,
        acme.name,
        acme.admin_email,
        key.name,
        key.public_id,
        version_of(key).last_four,
        version_of(key).digest,
    ):
        assert text.encode() not in everything


def test_edges_are_told_what_has_changed(key: ApiKey, clean_redis: redis.Redis) -> None:
    projecting.ensure()
    relay()  # what the cast has left
    listener = clean_redis.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("edge:changed")
    listener.get_message(timeout=1)
    revoke(key)
    relay()
    heard = listener.get_message(timeout=5)
    listener.close()
    assert heard is not None
    assert heard["data"].endswith(b"k" + bytes.fromhex(version_of_any(key).digest)[:HALF])


def test_a_connection_that_is_cut_in_the_middle_costs_nothing(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    projecting.ensure()
    version = version_of(key)
    revoke(key)
    write, cuts = Board.write, [redis.ConnectionError("cut")]

    def cut_once(board: Board, *given: Any) -> int:
        if cuts:
            raise cuts.pop()
        return write(board, *given)

    monkeypatch.setattr(Board, "write", cut_once)
    projecting.follow(OutboxEvent.objects.filter(type="key.revoked").order_by("-pk")[0])
    assert known(version) is None
