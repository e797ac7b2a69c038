"""The projection's place in Redis: which epoch holds, records written and read, an epoch built beside it and swapped in.

A thin gateway over a Redis client; it knows nothing of the database. The pointer to the epoch that holds names the Redis *process* that it was
written to (its ``run_id``). After a restart or a failover the ids differ, and the projection does not hold: a Redis that came back
with an older snapshot would have keys in it that were revoked since. After a flush there is no pointer. In both cases :meth:`Board.epoch` is None
until somebody has rebuilt, and an edge must not take a key that it does not find for an unknown one.

A key needs about 130 bytes of Redis at a million keys, all included (``python -m bench.projection``). One writer rebuilds at a time; whoever
dies in it holds the others up for :data:`BUILD_SECONDS`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from core.limiter import connect
from tenants.limits import putting_back, scripts
from tenants.limits.projection import EPOCH_BYTES, PREFIX, SIZES, WEIGHTS, Kind, epoch_in, name_of

EPOCH, BUILDING, STAMP, CHANGED = "edge:epoch", "edge:building", "edge:stamp", "edge:changed"
BUILD_SECONDS = 60
GONE_SECONDS = 3_600
"""How long it is remembered that a record is gone: longer than any writer oversleeps."""
TIMEOUT_SECONDS = 2.0
BATCH = 500


class BuildLostError(Exception):
    """Redis was flushed, or another builder took over, while this one was at work. What it wrote does not count; begin again."""


@dataclass(frozen=True, slots=True)
class Build:
    """An epoch that is being built, and the Redis process in which its building began."""

    epoch: bytes
    run_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was read in one epoch, one for each name that was asked for; None where there is nothing."""

    epoch: bytes
    records: tuple[bytes | None, ...]


class Board:
    """The projection in one Redis. Raises RedisError when it does not answer; nothing is retried."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._write = redis.register_script(scripts.WRITE_RECORDS)
        self._remove = redis.register_script(scripts.REMOVE_RECORDS)
        self._swap = redis.register_script(scripts.SWAP_EPOCH)
        self._hold = redis.register_script(scripts.HOLD_BUILD)

    @classmethod
    def from_url(cls, url: str) -> Board:
        """Give the board on the Redis at ``url``, with short time-outs."""
        return cls(connect(url, timeout_seconds=TIMEOUT_SECONDS))

    def epoch(self) -> bytes | None:
        """Give the epoch that holds, None when the projection must be rebuilt."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(EPOCH)
        pipeline.info("server")
        pointer, server = pipeline.execute()
        return epoch_in(pointer, server["run_id"])

    def weights(self) -> int:
        """Give the sum of the weights of all served tenants, as the script of the limits finds it; 0 where no projection was built."""
        name = self._redis.get(WEIGHTS)
        return int(self._redis.get(name) or 0) if isinstance(name, bytes) else 0

    def draw_stamp(self) -> int:
        """Give a stamp. Draw it before the database is read: a record that is written with it says at least what was true then."""
        return int(self._redis.incr(STAMP))

    def epochs(self) -> frozenset[bytes]:
        """Give the epoch that holds and one that is being built: where a change belongs. Ask before the database is read.

        An epoch that is begun later has a builder who reads later rows. What is gone is not told in it, so whoever overslept must not write there.
        """
        # In this order: an epoch that is swapped in between the two questions is then named by the first, and both are by the second.
        building = self._building()
        return frozenset(epoch for epoch in (building, self.epoch()) if epoch is not None)

    def write(self, records: Mapping[tuple[Kind, bytes], bytes], into: Collection[bytes] | None = None) -> int:
        """Write records into these epochs (:meth:`epochs` as of now, when none are given), and tell the edges; gives how many were new.

        Where no epoch holds, nothing is written: whoever rebuilds will read the same rows, or later ones.
        """
        return sum(self.write_in(epoch, records, tell=True) for epoch in (self.epochs() if into is None else into))

    def write_in(self, epoch: bytes, records: Mapping[tuple[Kind, bytes], bytes], *, tell: bool = False) -> int:
        """Write records into one epoch, each unless one with a higher stamp is there."""
        items, written = list(records.items()), 0
        for start in range(0, len(items), BATCH):
            some = items[start : start + BATCH]
            names = [name_of(epoch, Kind.WEIGHTS, b""), *(name_of(epoch, kind, what) for (kind, what), _ in some)]
            written += int(self._write(keys=names, args=[CHANGED if tell else "", GONE_SECONDS, *(record for _, record in some)]))
        return written

    def read(self, wanted: Sequence[tuple[Kind, bytes]]) -> Found | None:
        """Read records of the epoch that holds, all of the same; None when none holds. Two round trips; an edge keeps the epoch."""
        epoch = self.epoch()
        if epoch is None:
            return None
        values = self._redis.mget([name_of(epoch, kind, what) for kind, what in wanted]) if wanted else []
        return Found(epoch, tuple(value if isinstance(value, bytes) else None for value in values))

    def begin(self) -> Build | None:
        """Begin to build an epoch; None while somebody else does. What others write from now on goes into it as well."""
        build = Build(secrets.token_bytes(EPOCH_BYTES), self._redis.info("server")["run_id"])
        return build if self._redis.set(BUILDING, build.epoch.hex(), nx=True, ex=BUILD_SECONDS) else None

    def hold(self, build: Build) -> None:
        """Say that the builder still works. Raises BuildLostError when it no longer counts."""
        if not self._hold(keys=[BUILDING], args=[build.epoch.hex(), BUILD_SECONDS]):
            raise BuildLostError("another has begun to build, or Redis was flushed")

    def put_back(self, tenant_ids: Sequence[str], now: datetime) -> None:
        """Put back what these tenants have used of their quotas, as far as it was counted. Repeatable."""
        putting_back.put_back(self._redis, tenant_ids, now)

    def put_back_keys(self, key_ids: Sequence[str], now: datetime) -> None:
        """Put back what these keys have used of quotas of their own. Repeatable."""
        putting_back.put_back_keys(self._redis, key_ids, now)

    def finish(self, build: Build) -> None:
        """Swap the new epoch in, as a whole and at once, and remove all others. Raises BuildLostError, and then nothing has changed.

        If Redis has restarted since the build began, what is swapped in does not hold: the snapshot that it came back with may lack records.
        """
        epoch = build.epoch
        pointer = json.dumps({"epoch": epoch.hex(), "run_id": build.run_id})
        if not self._swap(keys=[BUILDING, EPOCH, WEIGHTS], args=[epoch.hex(), pointer, name_of(epoch, Kind.WEIGHTS, b"")]):
            raise BuildLostError("another has begun to build, or Redis was flushed")
        self._redis.publish(CHANGED, epoch)
        self._remove_all_but(epoch, pointer)

    def _building(self) -> bytes | None:
        found = self._redis.get(BUILDING)
        return bytes.fromhex(found.decode()) if isinstance(found, bytes) else None

    def _remove_all_but(self, epoch: bytes, pointer: str) -> None:
        """Remove the records of all other epochs, until another is begun: whoever swaps that in will do the rest."""
        shape, some = len(PREFIX) + EPOCH_BYTES, list[bytes]()
        kinds = {(kind.value, size) for kind, size in SIZES.items()}
        for name in self._redis.scan_iter(match=PREFIX + b"*", count=BATCH):
            is_record = (name[shape : shape + 1], len(name) - shape - 1) in kinds
            if is_record and name[len(PREFIX) : shape] != epoch:
                some.append(name)
            if len(some) >= BATCH:
                if not self._remove(keys=[EPOCH, BUILDING, *some], args=[pointer]):
                    return
                some.clear()
        if some:
            self._remove(keys=[EPOCH, BUILDING, *some], args=[pointer])
