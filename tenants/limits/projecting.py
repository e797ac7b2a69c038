"""Keeps the projection true: after each change what it was about is read again and written, and when the projection is missing all is.

Level-triggered: an event says *what to look at*, never what to write. So events may come twice, late or out of order, and after the last one the
projection says what the database says. Nothing here runs inside a transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from core.outbox.models import OutboxEvent
from tenants.keys.models import KeyState, KeyVersion, Stage
from tenants.lifecycle import SERVED, TenantState
from tenants.limits import projection, selectors
from tenants.limits.board import Board, Build, BuildLostError
from tenants.limits.effective import KeyLimits, Limits
from tenants.limits.models import KeyLimit
from tenants.limits.projection import HALF, KeyRecord, Kind, Standing, TenantRecord
from tenants.models import Tenant

logger = logging.getLogger(__name__)

CONSUMER = "edge-projection"
TYPES = ("key.*", "keys.*", "tenant.*", "tier.*", "limit.*")
BATCH = 1_000
VERIFYING = (Stage.CURRENT, Stage.PREVIOUS)
Records = dict[tuple[Kind, bytes], bytes]


@lru_cache(maxsize=1)
def board() -> Board:
    """Give this process's board, on the Redis of the settings."""
    return Board.from_url(settings.REDIS_URL)


def follow(event: OutboxEvent) -> None:
    """Write again what an event was about: a key, all of a tenant, or all tenants of a tier. Repeatable. Raises RedisError.

    A connection that is cut in the middle is followed by a good one: a revocation must not wait for the relay's next attempt because of that.
    """
    try:
        _follow(event)
    except RedisConnectionError:
        _follow(event)


def _follow(event: OutboxEvent) -> None:
    noun = event.type.partition(".")[0]
    if noun == "key":
        refresh_versions(KeyVersion.objects.filter(key_id=event.subject))
    elif noun == "tier":
        refresh_tenants(Tenant.objects.filter(tier_id=event.subject))
    elif event.tenant_id:
        refresh_tenants(Tenant.objects.filter(pk=event.tenant_id))
        if noun == "keys" or event.type == "tenant.closed":
            refresh_versions(KeyVersion.objects.filter(key__tenant_id=event.tenant_id))


def refresh_versions(versions: QuerySet[KeyVersion]) -> None:
    """Write these versions as they are now, those that have ended as gone."""
    to = board()
    for ids in _batches(versions):
        into, stamp = to.epochs(), to.draw_stamp()  # before the rows are read
        to.write(_records_of(KeyVersion.objects.filter(pk__in=ids), stamp), into)


def refresh_tenants(tenants: QuerySet[Tenant]) -> None:
    """Write these tenants with the limits that hold for them now."""
    to = board()
    for ids in _batches(tenants):
        into, stamp = to.epochs(), to.draw_stamp()
        to.write(_tenants_of(Tenant.objects.filter(pk__in=ids), stamp), into)


def ensure() -> bool:
    """Rebuild the projection if it is missing or of another Redis process; says whether it did. Repeatable, and cheap when all is well.

    When Redis is flushed in the middle, what was built does not count, and the next call begins anew.
    """
    to = board()
    if to.epoch() is not None:
        return False
    build = to.begin()
    if build is None:
        return False
    try:
        written = _build(to, build)
        to.finish(build)
    except BuildLostError as error:
        logger.warning("the projection was not rebuilt: %s", error)
        return False
    logger.info("the projection was rebuilt", extra={"records": written})
    return True


def _build(to: Board, build: Build) -> int:
    written = 0
    for ids in _batches(Tenant.objects.exclude(state=TenantState.CLOSED)):
        stamp = to.draw_stamp()
        written += to.write_in(build.epoch, _tenants_of(Tenant.objects.filter(pk__in=ids), stamp))
        to.put_back(ids, timezone.now())  # before the epoch holds, and so before anybody may ask
        to.hold(build)
    for ids in _batches(KeyLimit.objects.filter(Q(quota_per_day__isnull=False) | Q(quota_per_month__isnull=False))):
        to.put_back_keys(ids, timezone.now())
        to.hold(build)
    for ids in _batches(KeyVersion.objects.filter(stage__in=VERIFYING)):
        stamp = to.draw_stamp()
        written += to.write_in(build.epoch, _records_of(KeyVersion.objects.filter(pk__in=ids), stamp))
        to.hold(build)
    return written


def _batches(rows: QuerySet[KeyVersion] | QuerySet[KeyLimit] | QuerySet[Tenant]) -> Iterator[list[str]]:
    """Give ids in order, in batches; what is added behind our back has an event of its own."""
    after = ""
    while ids := list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield ids
        after = ids[-1]


class _Row(NamedTuple):
    """What a version's record is made of, by the names of the columns. A million of them are read in a rebuild: no objects are made of rows."""

    digest: str
    stage: str
    expires_at: datetime
    retires_at: datetime | None
    number: int
    key_id: str
    key__tenant_id: str
    key__state: str
    key__scopes: list[str]
    key__cidrs: list[str]
    key__limit__key_id: str | None
    key__limit__rate_per_second: int | None
    key__limit__burst: int | None
    key__limit__quota_per_day: int | None
    key__limit__quota_per_month: int | None
    key__limit__concurrency: int | None


def _records_of(versions: QuerySet[KeyVersion], stamp: int) -> Records:
    """The records of these versions, and of the sets of scopes that they name."""
    records: Records = {}
    for row in map(_Row._make, versions.values_list(*_Row._fields)):
        digest = bytes.fromhex(row.digest)
        record = _record_of(row, digest)
        packed = projection.gone(stamp) if record is None else projection.pack_key(record, stamp)
        records[Kind.KEY, digest[:HALF]] = packed
        if record is not None and record.scopes:
            # Its name says what is in it, so no stamp is needed: it is never another.
            words = projection.stamped(0) + projection.pack_scopes(record.scopes)
            records[Kind.SCOPES, projection.scopes_id(record.scopes)] = words
    return records


def _record_of(row: _Row, digest: bytes) -> KeyRecord | None:
    if row.stage not in VERIFYING or row.key__state not in (KeyState.ACTIVE, KeyState.DISABLED):
        return None
    ends = row.expires_at
    if row.stage == Stage.PREVIOUS and row.retires_at is not None:
        ends = min(ends, row.retires_at)
    return KeyRecord(
        digest=digest,
        tenant_id=row.key__tenant_id,
        key_id=row.key_id,
        number=row.number,
        standing=Standing.SERVED if row.key__state == KeyState.ACTIVE else Standing.HALTED,
        ends_at=int(ends.timestamp()),
        scopes=tuple(row.key__scopes),
        cidrs=tuple(row.key__cidrs),
        limits=KeyLimits(*row[-5:]) if row.key__limit__key_id is not None else None,
    )


def _tenants_of(tenants: QuerySet[Tenant], stamp: int) -> Records:
    rows = list(tenants.select_related("tier"))
    limits = selectors.effective_limits_of(rows)
    return {(Kind.TENANT, projection.pack_id(row.pk)): _tenant_record(row, limits[row.pk], stamp) for row in rows}


def _tenant_record(row: Tenant, limits: Limits, stamp: int) -> bytes:
    if row.state == TenantState.CLOSED:
        return projection.gone(stamp)
    standing = Standing.SERVED if row.state in SERVED else Standing.HALTED
    return projection.pack_tenant(TenantRecord(standing, limits), stamp)
