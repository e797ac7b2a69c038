"""The time as the edge's hot path reads it: attributes that one timer sets, for all connections and doors of a process.

Coarse on purpose: a time-out may come up to ``TURN_SECONDS`` late, an identity is stamped with the second in which it was made or the one
before. What the limits count by is the time of Redis, not this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

TURN_SECONDS = 0.25


class Ticks:
    """``now`` counts monotonic seconds, ``seconds`` whole seconds since 1970, ``date`` is the ``Date`` header's line, ended by CRLF."""

    __slots__ = ("_clock", "_monotonic", "date", "now", "seconds")

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._monotonic = clock, monotonic
        self.now, self.seconds, self.date = 0.0, -1, b""
        self.turn()

    def turn(self) -> None:
        """Read the clocks."""
        self.now = self._monotonic()
        seconds = int(self._clock())
        if seconds != self.seconds:
            self.seconds = seconds
            self.date = b"Date: %b\r\n" % formatdate(seconds, usegmt=True).encode()

    def read(self) -> float:
        """Read the monotonic clock itself, for what must be measured."""
        return self._monotonic()
