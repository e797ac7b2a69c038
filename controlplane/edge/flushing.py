"""What was counted goes to Redis once a second, as a batch with an id of its own, to be added up by :mod:`tenants.usage.rolling`.

A killed process loses what it has counted since its last flush: a second's worth. A batch that Redis did not take is offered again under the same
id, so that one which was taken without an answer counts once. While Redis is away batches wait here, up to :data:`MOST` of them; then the oldest
is let go, and that is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from redis.exceptions import ResponseError

from controlplane.edge.known import Known
from controlplane.edge.line import AwayError
from tenants.usage.tally import MOST_IN_STREAM, STREAM, Batch, Tally

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 1.0
MOST = 600


class Flushing:
    """The flusher of one process, for one event loop."""

    def __init__(self, known: Known, tally: Tally) -> None:
        self._known, self._tally = known, tally
        self._waiting: deque[Batch] = deque()
        self._task: asyncio.Task[None] | None = None
        self.lost = 0

    def start(self) -> None:
        """Begin to flush."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Flush a last time, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.flush()

    async def flush(self) -> None:
        """Offer what was counted, the oldest batch first; what is not taken waits. Never raises for a Redis that is away."""
        with self._known.lock:
            batch = self._tally.take()
        if batch is not None:
            self._waiting.append(batch)
        while len(self._waiting) > MOST:
            self._waiting.popleft()
            self.lost += 1
            logger.error("counts were lost: Redis has been away for too long")
        line = self._known.line
        while self._waiting and line is not None and line.is_open:
            first = self._waiting[0]
            try:
                await line.call("XADD", STREAM, "MAXLEN", "~", MOST_IN_STREAM, "*", "batch", first.data)
            except (AwayError, ResponseError) as error:
                logger.warning("counts were not taken", extra={"error": str(error), "batches": len(self._waiting)})
                return
            self._waiting.popleft()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
