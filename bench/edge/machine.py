"""Which core does what, and what a server's processes cost. Linux."""

from __future__ import annotations

import importlib.util
import os
import shutil
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def cores() -> tuple[int, int]:
    """Give the client's core and the server's. Raises RuntimeError where there is one only: they would wait for each other."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise RuntimeError("the bench needs two cores: one for the client, one for the server")
    return allowed[0], allowed[1]


def on_core(core: int, command: list[str]) -> list[str]:
    """Give the command that runs ``command``, and whatever it starts, on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


def missing(*programs: str) -> list[str]:
    """Name the programs that are not installed."""
    return [name for name in programs if shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") is None]


def missing_packages(*names: str) -> list[str]:
    """Name the Python packages (as they are imported) that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def cpu_seconds(pid: int) -> float:
    """CPU that a process and all that descend from it have used and still run: from the scheduler, in nanoseconds, kernel's share included."""
    total = 0
    for one in family(pid):
        for task in (PROC / str(one) / "task").glob("*/schedstat"):
            with suppress(OSError):
                total += int(task.read_text().split()[0])
    return total / 1e9


def family(pid: int) -> list[int]:
    """Give a process and all that descend from it."""
    found, parents = [pid], {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(after_name[1])
    for one in found:  # grows while it is read: children of children
        found += [child for child, parent in parents.items() if parent == one]
    return found
