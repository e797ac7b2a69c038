"""Wall time of a piece of work, and the CPU time that it cost here and in the parts that answered it.

On a busy machine the wall tells how long one had to wait for a core; CPU time tells what the work costs, and for work that goes one
call after another their sum is about what the wall would show on an idle machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_watched: list[int] = []


@dataclass(slots=True)
class Spent:
    """Seconds: on the wall, of CPU in all threads of this process, and of CPU in the watched parts (0 where Linux does not tell)."""

    wall: float = 0.0
    cpu: float = 0.0
    parts: float = 0.0

    @property
    def all_cpu(self) -> float:
        """Of CPU here and in the parts together."""
        return self.cpu + self.parts

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu, self.parts + other.parts)


def watch(pid: int) -> None:
    """Count this process among the parts from now on."""
    _watched.append(pid)


def _seconds_of_parts() -> float:
    """Time on a core, from the scheduler's own count in nanoseconds, of all threads of the parts."""
    total = 0
    for pid in _watched:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):
                total += int(task.read_text().split()[0])
    return total / 1e9


@contextmanager
def timed() -> Iterator[Spent]:
    """Time a block; the numbers are there when it has ended."""
    spent = Spent()
    parts, cpu, wall = _seconds_of_parts(), time.process_time(), time.perf_counter()
    try:
        yield spent
    finally:
        spent.wall, spent.cpu = time.perf_counter() - wall, time.process_time() - cpu
        spent.parts = _seconds_of_parts() - parts


def milliseconds(seconds: Iterable[float]) -> float:
    """The median, in milliseconds."""
    return statistics.median(seconds) * 1000
