"""What an edge process has counted since its last flush, and the batches in which it goes to Redis. Pure: no Redis client, no Django.

The hot path adds to two mappings. Once a second (:data:`FLUSH_SECONDS`) what is in them is taken as a batch and added to the stream. A process
that is killed loses what it has counted since. A batch that could not be added is sent again under the same id, and is counted once
whatever becomes of the answers (:class:`Sending`).

Not for several threads at once without a lock of the caller's.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from core.ids import BATCH, new_id
from tenants.usage import batches
from tenants.usage.batches import CountKey

STREAM = "edge:usage"
FIELD = "batch"
MOST_WAITING = 3_600
"""The stream's length (``MAXLEN ~``), in batches: beyond it Redis lets the oldest go. One process fills it in an hour without a roll-up."""
FLUSH_SECONDS = 1.0
MOST_UNSENT = 60
"""How many batches a process keeps while Redis is away: one a minute. After that hour it goes on counting into one."""
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What was taken at once. ``id`` is never given to another; ``at_ms`` is when it was taken, in milliseconds since 1970."""

    id: str
    at_ms: int
    body: bytes = field(repr=False)


class Tally:
    """Counters of one process. Add to ``counts`` and ``costs`` directly where time is dear; the mappings stay the same objects."""

    def __init__(self) -> None:
        self.counts: dict[CountKey, int] = defaultdict(int)
        self.costs: dict[CountKey, int] = defaultdict(int)

    def count(self, tenant_id: str, key_id: str, number: int, outcome: str, limit: str = "", cost: int = 1) -> None:
        """Count one request. ``limit`` is the one that refused. A key that nobody knows has no tenant, and is not counted."""
        key = (tenant_id, key_id, number, outcome, limit)
        self.counts[key] += 1
        self.costs[key] += cost

    def take(self, now_ms: int | None = None) -> Batch | None:
        """Give what was counted since, at most :data:`~tenants.usage.batches.MOST_ROWS` counters; None for nothing. Take again until then.

        Raises ValueError, when it holds what is no counter, and then that much is gone.
        """
        rows: list[tuple[CountKey, int, int]] = []
        while self.counts and len(rows) < batches.MOST_ROWS:
            key, requests = self.counts.popitem()
            cost = self.costs.pop(key, requests)
            if key[0]:
                rows.append((key, requests, cost))
        if not rows:
            return None
        batch_id, at_ms = new_id(BATCH), time.time_ns() // 1_000_000 if now_ms is None else now_ms
        return Batch(batch_id, at_ms, batches.pack(batch_id, at_ms, rows))


class Sending:
    """The batches of one process that Redis has not taken yet, the oldest first.

    Once a second: ``while (batch := sending.due()) is not None``, add it to the stream, then ``sending.done(batch)``; on any error leave off and
    come back with the next second. Nothing is lost while Redis is away, and minutes are told apart for the first hour of it.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._unsent: deque[Batch] = deque()
        self._looked_ms = 0

    def due(self, now_ms: int | None = None) -> Batch | None:
        """Give the batch to send now: the same one until it is done. None when there is nothing to send."""
        now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        if not self._unsent:
            self._take(now_ms)
        elif self._looked_ms // _MINUTE_MS != now_ms // _MINUTE_MS and len(self._unsent) < MOST_UNSENT:
            self._take(self._looked_ms)  # what was counted in the minute that is over belongs to it
        self._looked_ms = now_ms
        return self._unsent[0] if self._unsent else None

    def done(self, batch: Batch) -> None:
        """Say that Redis has taken it; repeatable."""
        if self._unsent and self._unsent[0].id == batch.id:
            self._unsent.popleft()

    @property
    def waiting(self) -> int:
        """How many batches are kept: more than none for longer than a flush means that Redis does not take them."""
        return len(self._unsent)

    def _take(self, at_ms: int) -> None:
        batch = self._tally.take(at_ms)
        if batch is not None:
            self._unsent.append(batch)
