"""One client of the edge's server: HTTP/1.1 over a transport, read (``reading``), answered (``answering``), and given up in time."""

from __future__ import annotations

import asyncio

from controlplane.edge import problems as kinds
from controlplane.edge.answering import Answering
from controlplane.edge.link import CONGESTED
from controlplane.edge.service import Service

DOUBTFUL = 32
"""After so many requests in a row that never came before, a connection is believed to repeat nothing; one in so many is still tried."""


class Connection(Answering):
    """What the event loop calls, and what the service does with all of its clients."""

    __slots__ = ("_misses", "_repeats")

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._repeats, self._misses = service.repeats, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the client in, or turn it away where there are too many."""
        self.transport = transport  # type: ignore[assignment]  # what a server's protocol is given is one
        service = self._service
        service.connections.add(self)
        self.deadline = self._ticks.now + self._bounds.head_seconds
        if len(service.connections) > self._bounds.connections:
            service.numbers.turned_away += 1
            self.refuse(kinds.BUSY)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client. What it still waits for is carried out and thrown away."""
        self._service.connections.discard(self)
        self.transport = None
        self.is_closing = True
        self._places.clear()
        self._backlog.clear()

    def data_received(self, data: bytes) -> None:
        """Answer what came: at once where it came before, otherwise parsed."""
        if self.is_closing or self._is_done:
            return
        misses = self._misses
        if self._inside or self.stalls or self._places:  # it belongs to what is under way, or comes behind it
            self.take(data)
        elif misses >= DOUBTFUL and misses % DOUBTFUL:
            self._misses = misses + 1
            self.take(data)
        elif (answer := self._repeats.answer(data)) is None:
            self._misses = misses + 1
            self.take(data, self._repeats)
        else:
            if misses:
                self._misses = 0
            # Before it is written: that may tell that the client does not read, which sets another.
            self.deadline = self._service.idle_at
            self.transport.write(answer)  # type: ignore[union-attr]  # there is one while data comes

    def eof_received(self) -> bool:
        """The client will send nothing more; it still gets what it waits for."""
        if self.is_closing or not (self._places or self._backlog):
            return False
        self._is_done = True
        return True

    def pause_writing(self) -> None:
        """The client does not read: stop reading from it."""
        self.deadline = self._ticks.now + self._bounds.write_seconds
        self.stall(CONGESTED)

    def resume_writing(self) -> None:
        """It reads again. What is half here has its time from now on: we have not listened meanwhile."""
        if not self.is_closing:
            self.deadline = self._ticks.now + self._bounds.head_seconds if self._inside else 0.0
        self.unstall(CONGESTED)

    def expire(self) -> None:
        """The deadline is over: give the client up, unless it is we who keep it waiting."""
        self.deadline = 0.0
        if self.is_closing or self.stalls & CONGESTED:
            self._service.numbers.timed_out += 1
            self.cut()
        elif self._inside and not self.stalls:
            self._service.numbers.timed_out += 1
            self.refuse(kinds.TIMEOUT)
        elif self.stalls:
            self.deadline = self._ticks.now + self._bounds.head_seconds
        elif not (self._places or self._backlog):
            self._service.numbers.timed_out += 1
            self.close()

    def drain(self) -> None:
        """End when nothing is under way; a request that is half here is waited for."""
        if not (self._places or self._backlog or self._inside or self.is_closing):
            self.close()
