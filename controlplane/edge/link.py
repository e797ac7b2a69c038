"""A connection's ground: its transport, and the ways to stall, to linger and to end."""

from __future__ import annotations

import asyncio

from controlplane.edge.service import Service

HELD, WAITING, CONGESTED, TURN = 1, 2, 4, 8
"""Why a connection is not read; bits."""


class Link(asyncio.Protocol):
    """``out`` is what will be written at the next :meth:`flush`, ``stalls`` why nothing is read.

    ``is_closing`` says that the last word was said. ``deadline`` is when the client is given up, in the service's ticks; 0 while the next move
    is ours.
    """

    __slots__ = ("_bounds", "_service", "_ticks", "deadline", "is_closing", "out", "stalls", "transport")

    def __init__(self, service: Service) -> None:
        self._service, self._bounds, self._ticks = service, service.bounds, service.ticks
        self.transport: asyncio.Transport | None = None
        self.out: list[bytes] = []
        self.stalls = 0
        self.is_closing = False
        self.deadline = 0.0

    def flush(self) -> None:
        """Write, with one call."""
        out = self.out
        if out:
            if self.transport is not None:
                self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def stall(self, why: int) -> None:
        """Stop reading, for one more reason."""
        if not self.stalls and self.transport is not None and not self.is_closing:
            self.transport.pause_reading()
        self.stalls |= why

    def linger(self) -> None:
        """Say that nothing more will come, and drop what the client still sends, so that it sees the answer and no reset."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self.deadline = self._ticks.now + self._bounds.linger_seconds
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()

    def close(self) -> None:
        """End when everything is written, or when the client has not read it for a while."""
        self.is_closing = True
        self.deadline = self._ticks.now + self._bounds.linger_seconds
        if self.transport is not None:
            self.transport.close()

    def cut(self) -> None:
        """End at once, whatever is under way."""
        if self.transport is not None:
            self.transport.abort()
