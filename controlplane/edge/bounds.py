"""How much one connection may ask of a process. Sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The server's limits. ``head`` is request line and headers together, ``waiting`` the answers that a connection may wait for at once."""

    head: int = 8_192
    headers: int = 64
    body: int = 16_384
    waiting: int = 32
    batch: int = 64
    """Requests of one connection that are answered in one turn of the loop; the next wait until the others have had theirs."""
    connections: int = 10_000
    head_seconds: float = 5.0
    body_seconds: float = 5.0
    idle_seconds: float = 75.0
    write_seconds: float = 30.0
    """How long a client may leave what was written to it unread."""
    linger_seconds: float = 2.0
    """How long a refused client's remaining bytes are read and dropped, so that it sees the answer and no reset."""

    @property
    def framing(self) -> int:
        """What one request may take on the wire at most, chunk sizes and trailers included."""
        return self.head + 2 * self.body + self.head
