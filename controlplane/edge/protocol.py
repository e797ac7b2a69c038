"""One client of the edge's server: HTTP/1.1 over a transport, read (``reading``), answered (``answering``), and given up in time."""

from __future__ import annotations

import asyncio

from controlplane.edge import problems as kinds
from controlplane.edge.answering import Answering
from controlplane.edge.link import CONGESTED


class Connection(Answering):
    """What the event loop calls, and what the service does with all of its clients."""

    __slots__ = ()

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
