"""The parent: starts the processes, starts again who ends, hands SIGTERM on, and answers the operators' port for all of them.

It serves no tenant. A process that ends by itself is started again after 1, 2, 4 and at most 8 seconds; one that has stayed for a minute begins
anew with 1. If nothing ever gets ready (a port that is taken, a setting that no process can live with), the parent ends with status 1 after
``MOST_FIRST_ENDINGS`` endings, since that needs a person and not a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

from controlplane.edge import exposition
from controlplane.edge.assembly import operators_service
from controlplane.edge.configuration import Configuration
from controlplane.edge.numbers import Snapshot
from controlplane.edge.protocol import Connection
from controlplane.edge.serving import listen

logger = logging.getLogger(__name__)

LONGEST_BACK_OFF_SECONDS, STAYED_SECONDS = 8.0, 60.0
MOST_FIRST_ENDINGS = 3
LATE_SECONDS = 5.0
"""A process that has not reported for so long counts as not ready."""
GRACE_SECONDS = 5.0
"""How much longer than its time to drain a process is waited for before it is killed."""
COMMAND = (sys.executable, "-m", "controlplane.edge", "--process")


@dataclass(slots=True)
class Child:
    """One place among the processes, whoever fills it now."""

    number: int
    process: asyncio.subprocess.Process | None = None
    missing: str = "The process has not begun to serve."
    reported_at: float = 0.0
    numbers: Snapshot = field(default_factory=dict)


class Parent:
    """``command`` starts a process; ``fd`` is a listening socket that all of them take from, otherwise each opens its own on the same port."""

    def __init__(self, configuration: Configuration, fd: int | None = None, command: Sequence[str] = COMMAND) -> None:
        self._configuration, self._fd, self._command = configuration, fd, tuple(command)
        self._children = [Child(number) for number in range(configuration.processes)]
        self._past: Snapshot = {}
        self._restarts = 0
        self._was_ready = False
        self._ending = asyncio.Event()
        self._starting = asyncio.Lock()
        self.failed = False

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT and give the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        service = operators_service(self._configuration.problems_url, self.missing, self.write)
        service.start()
        opened = listen(self._configuration.operators_address, self._configuration.operators_port)
        server = await loop.create_server(lambda: Connection(service), sock=opened)
        logger.info("Operators' port: %s", opened.getsockname()[:2])
        keeping = [asyncio.ensure_future(self._keep(child)) for child in self._children]
        await self._ending.wait()
        await self._end(keeping)
        server.close()
        await service.drain(0.0)
        return 1 if self.failed else 0

    # --- Keeping ------------------------------------------------------------------------------------------------------------------

    async def _keep(self, child: Child) -> None:
        back_off = 1.0
        endings = 0
        while not self._ending.is_set():
            started = time.monotonic()
            status = await self._live(child)
            if self._ending.is_set():
                return
            endings += 1
            logger.error("Process %d ended by itself with status %s", child.number, status)
            if not self._was_ready and endings >= MOST_FIRST_ENDINGS:
                logger.critical("The edge does not start")
                self.failed = True
                self._ending.set()
                return
            self._restarts += 1
            back_off = 1.0 if time.monotonic() - started >= STAYED_SECONDS else back_off
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), back_off)
            back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)

    async def _live(self, child: Child) -> int:
        """Start a process, read what it reports, and give its status when it has ended."""
        reading, writing = os.pipe()
        handed = (writing,) if self._fd is None else (writing, self._fd)
        words = ["--report", str(writing), *(["--fd", str(self._fd)] if self._fd is not None else [])]
        try:
            async with self._starting:  # one at a time, or one's end of a pipe would be handed to the other as well
                process = child.process = await asyncio.create_subprocess_exec(*self._command, *words, pass_fds=handed)
                os.close(writing)
        except BaseException:
            os.close(reading)
            raise
        if self._ending.is_set():
            process.terminate()  # it was being started while the end was asked for
        listening = asyncio.ensure_future(self._listen(child, reading))
        try:
            return await process.wait()
        finally:
            await asyncio.wait([listening], timeout=GRACE_SECONDS)  # its last words
            listening.cancel()
            self._past = exposition.add_up((self._past, exposition.counters_of(child.numbers)))
            child.numbers, child.missing, child.process = {}, "A process has ended.", None

    async def _listen(self, child: Child, reading: int) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        with os.fdopen(reading, "rb", 0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            try:
                async for line in reader:
                    self._take(child, line)
            finally:
                transport.close()

    def _take(self, child: Child, line: bytes) -> None:
        try:
            told: dict[str, Any] = json.loads(line)
            missing, numbers = str(told["missing"]), dict(told["numbers"])
        except (ValueError, KeyError, TypeError):
            return  # the last line of a process that was killed while it wrote
        began = child.reported_at == 0.0
        child.missing, child.numbers, child.reported_at = missing, numbers, time.monotonic()
        if began and not self._was_ready and all(other.reported_at for other in self._children):
            self._was_ready = True
            logger.info(
                "All %d processes serve on %s port %d", len(self._children), self._configuration.address, self._configuration.port
            )

    async def _end(self, keeping: Sequence[asyncio.Future[None]]) -> None:
        """Hand the end on, wait as long as the processes may take to drain, and kill who is still there."""
        for child in self._children:
            if child.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.terminate()
        _, late = await asyncio.wait(keeping, timeout=self._configuration.drain_seconds + GRACE_SECONDS)
        for child in self._children if late else ():
            if child.process is not None:
                logger.error("Process %d did not end in time and is killed", child.number)
                with contextlib.suppress(ProcessLookupError):
                    child.process.kill()
        if late:
            await asyncio.wait(late, timeout=GRACE_SECONDS)

    # --- The operators' port ------------------------------------------------------------------------------------------------------

    def missing(self) -> str:
        """Why the edge as a whole is not ready; empty when every process is."""
        now = time.monotonic()
        for child in self._children:
            if child.missing or now - child.reported_at > LATE_SECONDS:
                return child.missing or "A process has not reported lately."
        return ""

    def write(self) -> str:
        """Every number of all processes, for Prometheus."""
        now = time.monotonic()
        lately = [child for child in self._children if child.process is not None and now - child.reported_at <= LATE_SECONDS]
        total = exposition.add_up((self._past, *(child.numbers for child in self._children)))
        return exposition.write({**total, "edge_processes": len(lately), "edge_process_restarts_total": self._restarts})


def run(configuration: Configuration, fd: int | None = None, command: Sequence[str] = COMMAND) -> int:
    """Run the edge to its end and give its exit status."""

    async def live() -> int:
        return await Parent(configuration, fd, command).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(live())
