"""What was counted goes to Redis once a second, as batches with ids of their own, to be added up by :mod:`tenants.usage.rolling`.

A killed process loses what it has counted since its last flush. What is not taken waits, and is offered again under the same id
(:class:`tenants.usage.tally.Sending`).
"""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import RedisError

from controlplane.edge.known import Known
from controlplane.edge.line import AwayError
from tenants.usage.tally import FIELD, FLUSH_SECONDS, MOST_WAITING, STREAM, Sending, Tally

logger = logging.getLogger(__name__)


class Flushing:
    """The flusher of one process, for one event loop."""

    def __init__(self, known: Known, tally: Tally) -> None:
        self._known = known
        self._sending = Sending(tally)
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Batches that Redis has not taken yet."""
        return self._sending.waiting

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
        """Offer what was counted, the oldest first. Never raises for a Redis that is away."""
        line = self._known.line
        while line is not None and line.is_open:
            try:
                with self._known.lock:
                    batch = self._sending.due()
            except ValueError as error:  # no counter; it is gone, and those to come must not wait for it
                logger.error("counts were lost", extra={"error": str(error)})
                continue
            if batch is None:
                return
            try:
                await line.call("XADD", STREAM, "MAXLEN", "~", MOST_WAITING, "*", FIELD, batch.body)
            except (AwayError, RedisError) as error:
                logger.warning("counts were not taken", extra={"error": str(error), "batches": self.waiting})
                return
            self._sending.done(batch)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
