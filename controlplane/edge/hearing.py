"""Hears what changes: a connection on which Redis says which records were written, and a heartbeat that shows that it still does.

What a process has heard counts for :data:`BOUND_SECONDS` after it was last certain of hearing: of the process that answers, of the epoch that
holds, and of the channel. After that, or when no epoch holds (Redis was flushed), it is *deaf*, says so, and each tenant's tier says what becomes of
its requests. Every break begins anew from nothing: connect, ask which process this is, subscribe, ask which epoch holds, and only then forget what
was known before and believe what is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from controlplane.edge.known import Known
from controlplane.edge.line import AwayError, Line, Script, connect, hang_up
from tenants.limits.board import CHANGED, EPOCH
from tenants.limits.projection import EPOCH_BYTES, epoch_in

logger = logging.getLogger(__name__)

BOUND_SECONDS = 1.0
BEAT_SECONDS = 0.1
LOOK_SECONDS = 0.01
RETRY_SECONDS = (0.05, 1.0)


class Hearing:
    """Keeps one process's knowledge true, for one event loop. ``heard_until`` is of the monotonic clock."""

    def __init__(self, url: str, known: Known, *, scripts: Sequence[Script] = (), bound_seconds: float = BOUND_SECONDS) -> None:
        self._url, self._known, self._scripts, self._bound = url, known, tuple(scripts), bound_seconds
        self.heard_at = -math.inf
        self.heard_until = -math.inf
        self._pongs: asyncio.Queue[None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._ready, self._nudge = asyncio.Event(), asyncio.Event()
        self._is_listening = False
        self.restarts = 0

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End; nothing is heard from then on. Repeatable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self.heard_until = -math.inf

    async def ready(self) -> None:
        """Return when a projection is at hand for the first time."""
        await self._ready.wait()

    def is_heard(self) -> bool:
        """Whether what is known may be believed now."""
        return time.monotonic() < self.heard_until

    async def is_heard_soon(self, within_seconds: float) -> bool:
        """Whether what is known may be believed; waits so long for it where this process stood still.

        Where Redis is away, or nothing is built in it, nobody is kept waiting.
        """
        give_up_at = time.monotonic() + within_seconds
        while not self.is_heard():
            if not self._is_listening or self._known.epoch is None or time.monotonic() >= give_up_at:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def is_renewed(self, pointer: bytes | None, within_seconds: float) -> bool:
        """Wait so long for another epoch to be known than that of this pointer; says whether one is. Not where none is built."""
        give_up_at = time.monotonic() + within_seconds
        while self._known.epoch is not None and self._known.pointer == pointer and time.monotonic() < give_up_at:
            await asyncio.sleep(LOOK_SECONDS)
        return self._known.epoch is not None and self._known.pointer != pointer

    async def is_back(self, within_seconds: float) -> bool:
        """Wait so long for a line that broke to be there again; says whether it is."""
        give_up_at = time.monotonic() + within_seconds
        while time.monotonic() < give_up_at:
            await asyncio.sleep(LOOK_SECONDS)  # first: whoever asks may have noticed the break before we have
            line = self._known.line
            if self._is_listening and line is not None and line.is_open:
                return True
        return False

    @property
    def heard_seconds_ago(self) -> float:
        """Since when nothing was certain; infinite before the first time."""
        return time.monotonic() - self.heard_at

    async def _run(self) -> None:
        wait = RETRY_SECONDS[0]
        while True:
            begun = time.monotonic()
            try:
                await self._listen()
            except AwayError as error:
                logger.warning("Redis is not heard", extra={"error": str(error)})
            except Exception:  # whatever it is: a process that listens no more must be started again by somebody
                logger.exception("Redis is not understood")
            self.restarts += 1
            wait = RETRY_SECONDS[0] if time.monotonic() - begun > RETRY_SECONDS[1] else min(wait * 2, RETRY_SECONDS[1])
            await asyncio.sleep(wait)

    async def _listen(self) -> None:
        """Listen until something breaks, and then raise AwayError."""
        ear, run_id = await connect(self._url)
        line = None
        try:
            line = await Line.open(self._url, self._scripts)
            if line.run_id != run_id:
                raise AwayError("two Redis processes answer at one address")
            await self._subscribe(ear)
            self._pongs = asyncio.Queue()
            tasks = [asyncio.ensure_future(self._hear(ear)), asyncio.ensure_future(self._beat(ear, line))]
            try:
                await asyncio.gather(*tasks)
            finally:
                self._is_listening = False
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await hang_up(ear)
            if line is not None:
                await line.close()

    async def _subscribe(self, ear: AbstractConnection) -> None:
        try:
            async with asyncio.timeout(self._bound):
                await ear.send_command("SUBSCRIBE", CHANGED, check_health=False)
                await ear.read_response(timeout=math.inf)
        except (RedisError, OSError, TimeoutError) as error:
            raise AwayError(str(error) or "no answer in time") from None

    async def _hear(self, ear: AbstractConnection) -> None:
        while True:
            try:
                told = await ear.read_response(timeout=math.inf)
            except (RedisError, OSError) as error:
                raise AwayError(str(error)) from None
            if told[0] == b"message":
                if len(told[2]) > EPOCH_BYTES:
                    self._known.forget(told[2])
                else:
                    self._nudge.set()  # a new epoch: the next beat must not wait
            elif told[0] == b"pong":
                self._pongs.put_nowait(None)

    async def _beat(self, ear: AbstractConnection, line: Line) -> None:
        """Make certain, again and again, that this process hears; each time counts from when the question was sent."""
        is_first = True
        while True:
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(self._bound):
                    await ear.send_command("PING", check_health=False)
                    pointer = await line.call("GET", EPOCH)
                    await self._pongs.get()
            except (RedisError, OSError, TimeoutError) as error:
                raise AwayError(str(error) or "no answer in time") from None
            if is_first or pointer != self._known.pointer:
                self._known.begin(line, pointer, epoch_in(pointer, line.run_id))
                is_first = False
            if self._known.epoch is not None:
                self.heard_at, self.heard_until = asked_at, asked_at + self._bound
                self._ready.set()
                self._is_listening = True
            else:
                # Redis has lost what was spent, so what is drawn from it now would be granted twice: deaf at once, not when the bound is over.
                self.heard_until = -math.inf
            self._nudge.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), BEAT_SECONDS)
