"""Wall time and this process's own CPU time of a piece of work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Spent:
    """Seconds on the wall, and of CPU in all threads of this process; other processes (the stand-in, PostgreSQL) are not in it."""

    wall: float = 0.0
    cpu: float = 0.0

    def add(self, other: Spent) -> None:
        self.wall += other.wall
        self.cpu += other.cpu


@contextmanager
def timed() -> Iterator[Spent]:
    """Time a block; the numbers are there when it has ended."""
    spent = Spent()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield spent
    finally:
        spent.wall, spent.cpu = time.perf_counter() - wall, time.process_time() - cpu


def milliseconds(seconds: Iterable[float]) -> float:
    """The median, in milliseconds."""
    return statistics.median(seconds) * 1000
