"""The stream in Redis through which batches come, and the place for those that are none. A thin gateway; it knows nothing of the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from core.limiter import connect
from tenants.usage.tally import FIELD, MOST_WAITING, STREAM, Batch

REFUSED = f"{STREAM}:refused"
MOST_REFUSED = 100
MOST_KEPT_BYTES = 64 * 1024
"""How much of an entry that was refused is kept to be looked at."""
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream: its id there, and its body; empty where it has none."""

    id: bytes
    body: bytes


class Stream:
    """The stream in one Redis. Raises RedisError when it does not answer; nothing is retried."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @classmethod
    def from_url(cls, url: str) -> Stream:
        """Give the stream in the Redis at ``url``, with short time-outs."""
        return cls(connect(url, timeout_seconds=TIMEOUT_SECONDS))

    def add(self, batch: Batch) -> None:
        """Add a batch, as every edge process does."""
        self._redis.xadd(STREAM, {FIELD: batch.body}, maxlen=MOST_WAITING, approximate=True)

    def read(self, most: int) -> list[Entry]:
        """Give the oldest entries; they stay until they are dropped."""
        found = cast("list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrange(STREAM, count=most))
        return [Entry(entry_id, (fields or {}).get(FIELD.encode(), b"")) for entry_id, fields in found]

    def drop(self, entries: Sequence[Entry]) -> None:
        """Remove entries; repeatable."""
        if entries:
            self._redis.xdel(STREAM, *(entry.id for entry in entries))

    def set_aside(self, entry: Entry, why: str) -> None:
        """Move an entry to where the last :data:`MOST_REFUSED` that are no batches are kept, in one step. Done twice, it is there twice."""
        pipeline = self._redis.pipeline(transaction=True)
        fields = {"why": why, "entry": entry.id, FIELD: entry.body[:MOST_KEPT_BYTES]}
        pipeline.xadd(REFUSED, fields, maxlen=MOST_REFUSED, approximate=False)  # type: ignore[arg-type]  # bytes and texts both do
        pipeline.xdel(STREAM, entry.id)
        pipeline.execute()

    def waiting(self) -> int:
        """How many entries wait."""
        return int(self._redis.xlen(STREAM))
