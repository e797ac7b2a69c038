"""Quiet tenants, open loop: each request is due at a moment that is fixed before, and its latency counts from that moment, sent late or not.

``python -m bench.edge.quiet PORT PATH SECONDS RATE OUTPUT KEY...`` asks for each key in turn, each on a connection of its own, and writes one line a
request: when it was due (seconds from the beginning), latency in milliseconds, status. It is a process of its own, so that it can come before the
flood's client on their core: what that client does to it would count as the server's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from bench.edge.peers.peer import HEADER
from tests.services import LOOPBACK

Line = tuple[float, float, int]
CONNECTIONS_A_KEY = 2
PATIENCE_SECONDS = 5.0


class Caller:
    """One tenant with a few connections that stay open."""

    def __init__(self, port: int, path: str, key: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{HEADER}: {key}\r\n\r\n".encode()
        self._idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def connect(self) -> None:
        for _ in range(CONNECTIONS_A_KEY):
            self._idle.put_nowait(await asyncio.open_connection(LOOPBACK, self._port))

    async def ask(self) -> int:
        """Ask once and give the status."""
        reader, writer = await self._idle.get()
        try:
            if writer.is_closing() or reader.at_eof():
                reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            await self._skip_body(reader, head.lower())
            return int(head.split(b" ", 2)[1])
        finally:
            self._idle.put_nowait((reader, writer))

    @staticmethod
    async def _skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
        _, _, length = head.partition(b"content-length:")
        if length and int(length.split(b"\r\n", 1)[0]):
            await reader.readexactly(int(length.split(b"\r\n", 1)[0]))


async def ask_all(port: int, path: str, seconds: float, rate: float, keys: list[str]) -> list[Line]:
    """Ask as planned; a request that has no answer in time has the status 0."""
    callers = [Caller(port, path, key) for key in keys]
    for caller in callers:
        await caller.connect()
        await caller.ask()
    lines: list[Line] = []
    begun = time.perf_counter() + 0.1

    async def one(place: int) -> None:
        due, status = begun + place / rate, 0
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                status = await callers[place % len(callers)].ask()
        lines.append((due - begun, (time.perf_counter() - due) * 1e3, status))

    async with asyncio.TaskGroup() as group:
        for place in range(int(seconds * rate)):
            ahead = begun + place / rate - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            group.create_task(one(place))
    return lines


def main() -> None:
    port, path, seconds, rate, output, *keys = sys.argv[1:]
    with suppress(OSError):  # without the right to it, the client waits behind the flood's, and says more than the server took
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    import uvloop

    gc.disable()
    lines = uvloop.run(ask_all(int(port), path, float(seconds), float(rate), keys))
    Path(output).write_text("".join(f"{due:.4f} {latency:.4f} {status}\n" for due, latency, status in sorted(lines)))


if __name__ == "__main__":
    main()
