"""One process of the edge: it serves until SIGTERM, then finishes what is under way. It reports to its parent over a pipe, a JSON line a second."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import signal
import socket

import uvloop

from controlplane.edge.assembly import Doors
from controlplane.edge.configuration import Configuration
from controlplane.edge.opening import Opening
from controlplane.edge.protocol import Connection

logger = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
BACKLOG = 4_096
SPARE_FILES = 64
"""File descriptors beside the connections': Redis, pipes, logs."""


def listen(address: str, port: int) -> socket.socket:
    """Open a listening socket that others may open beside this one: the kernel deals connections out among them (SO_REUSEPORT)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind((address, port))
    return opened


def allow_connections(most: int) -> None:
    """Let this process open as many files as it may have connections; says so where the system's hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        found = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (found, hard))
        if found < wanted:
            logger.warning("Only %d files can be open, and CONTROLPLANE_EDGE_CONNECTIONS is %d", found, most)


class Reporter:
    """Tells the parent that this process is ready and what it has counted. ``gone`` is set when the parent is no more."""

    def __init__(self, doors: Doors, fd: int | None) -> None:
        self._doors, self._fd = doors, fd
        self._unsent = b""
        self.gone = asyncio.Event()
        if fd is not None:
            os.set_blocking(fd, False)

    def report(self) -> None:
        """Write one line; a parent that is behind misses some, since each line says all."""
        if self._fd is None:
            return
        if not self._unsent:
            self._unsent = json.dumps({"missing": self._doors.missing(), "numbers": self._doors.snapshot()}).encode() + b"\n"
        try:
            while self._unsent:  # a line may be longer than a pipe takes at once
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.gone.set()

    async def run(self) -> None:
        """Report for ever."""
        while True:
            self.report()
            await asyncio.sleep(REPORT_SECONDS)


async def serve(configuration: Configuration, opening: Opening, listening: socket.socket, report_fd: int | None = None) -> bool:
    """Serve until SIGTERM or SIGINT, or until the parent is gone; then drain. Says whether everything under way was finished in time."""
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    parts = await opening(configuration)
    doors = Doors(configuration, parts)
    service = doors.service
    service.start()
    server = await loop.create_server(lambda: Connection(service), sock=listening, backlog=BACKLOG)
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked at again
    reporter = Reporter(doors, report_fd)
    reporting = asyncio.ensure_future(reporter.run())
    waits = [asyncio.ensure_future(event.wait()) for event in (ending, reporter.gone)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    server.close()
    finished = await service.drain(configuration.drain_seconds)
    reporting.cancel()
    reporter.report()
    for wait in waits:
        wait.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reporting
    await parts.close()
    return finished


def run(configuration: Configuration, opening: Opening, fd: int | None = None, report_fd: int | None = None) -> int:
    """Run a process to its end and give its exit status. ``fd`` is a listening socket that was handed down."""
    allow_connections(configuration.bounds.connections)
    listening = socket.socket(fileno=fd) if fd is not None else listen(configuration.address, configuration.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        finished = runner.run(serve(configuration, opening, listening, report_fd))
    if not finished:
        logger.warning("Connections were cut off: they were not done within %d s", configuration.drain_seconds)
    return 0
