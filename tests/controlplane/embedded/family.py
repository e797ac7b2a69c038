"""Programs for tests of the keeper and the supervisor: a family of processes that does not want to end, and the ways to look at it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
WAIT_SECONDS = 20.0

STUBBORN = """
import os, signal, sys, time
folder = sys.argv[1]
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note(name):
    with open(f"{folder}/{name}.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{folder}/{name}.part", f"{folder}/{name}.pid")
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("child")
    time.sleep(600)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        note("daemon")
        time.sleep(600)
    os._exit(0)
note("part")
if "brief" in sys.argv:
    while not (os.path.exists(f"{folder}/child.pid") and os.path.exists(f"{folder}/daemon.pid")):
        time.sleep(0.01)
    sys.exit(7)
time.sleep(600)
"""
"""A part with a child that is deaf to SIGTERM and a daemon (double fork, session of its own). ``deaf``: itself too; ``brief``: it ends."""

MEMBERS = ("part", "child", "daemon")


def wait_for(look: Callable[[], T], *, what: str, within_seconds: float = WAIT_SECONDS) -> T:
    """Look until there is something true, at most so long."""
    give_up_at = time.monotonic() + within_seconds
    while not (found := look()):
        assert time.monotonic() < give_up_at, f"{what}: not within {within_seconds:.0f} s"
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def members(folder: Path) -> dict[str, int]:
    """The process ids of a stubborn family, once all three are there."""

    def look() -> dict[str, int]:
        found = {name: int(path.read_text()) for name in MEMBERS if (path := folder / f"{name}.pid").exists()}
        return found if len(found) == len(MEMBERS) else {}

    return wait_for(look, what="the family")


def wait_gone(pids: Iterable[int], *, within_seconds: float = WAIT_SECONDS) -> None:
    """Wait until none of the processes runs."""
    known = list(pids)
    wait_for(lambda: not [pid for pid in known if is_alive(pid)], what=f"the end of {known}", within_seconds=within_seconds)


def descendants(pid: int) -> set[int]:
    """Every process below this one."""
    below: dict[int, set[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        below.setdefault(parent, set()).add(int(name))
    found: set[int] = set()
    queue = [pid]
    while queue:
        for child in below.get(queue.pop(), set()) - found:
            found.add(child)
            queue.append(child)
    return found
