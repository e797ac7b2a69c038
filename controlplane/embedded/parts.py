"""A part and its keeper as processes: started, read, ended. Knows one part at a time; which, when and why is the supervisor's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import DomainError

KEEPER = Path(__file__).with_name("keeper.py")
TAIL_LINES = 15
SWEEP_SECONDS = 8.0
"""What a keeper may need beyond a part's grace to find and kill the rest of its family."""


class PartError(DomainError):
    """A part did not start, did not become ready, or ended; the detail holds the end of its log."""

    code = "part-failed"
    title = "A part of the embedded stack failed"


@dataclass(frozen=True, slots=True)
class Part:
    """One process to run. ``is_ready`` gives an empty text when it is, and otherwise what is missing, in words.

    ``floor`` orders the end: higher floors end first, one floor at once. ``grace_seconds`` is the time between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    is_ready: Callable[[], str]
    ready_within_seconds: float = 60.0
    grace_seconds: float = 10.0
    floor: int = 0


def launch(part: Part, *, log: Path, lock_fd: int, stdout: int | None = None) -> subprocess.Popen[bytes]:
    """Start a part under a keeper of its own, which also holds the state folder's lock. Output is added to ``log`` (0600)."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), str(lock_fd), str(part.grace_seconds), *part.command],
            stdin=subprocess.DEVNULL,
            stdout=fd if stdout is None else stdout,
            stderr=fd,
            env=dict(part.environment),
            cwd=part.folder,
            pass_fds=(lock_fd,) if lock_fd >= 0 else (),
            start_new_session=True,
        )
    finally:
        os.close(fd)


def tail(log: Path) -> str:
    """The end of a log, ready to be put after a sentence."""
    with contextlib.suppress(FileNotFoundError):
        lines = log.read_text("utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        if lines:
            return f"\nThe end of {log}:\n" + "\n".join(f"  {line}" for line in lines)
    return f"\nIts log, {log}, is empty."


def rotate(log: Path) -> None:
    """Put the log of the run before aside."""
    with contextlib.suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.1"))


def read_lines(keeper: subprocess.Popen[bytes], on_line: Callable[[str], None] | None) -> None:
    """Hand on what the part writes, a line at a time, until it ends."""
    if keeper.stdout is not None and on_line is not None:
        with keeper.stdout as lines:
            for line in lines:
                on_line(line.decode("utf-8", errors="replace").rstrip("\n"))


def end(keeper: subprocess.Popen[bytes], *, within_seconds: float) -> None:
    """End a keeper and all below it; returns when they are gone."""
    if keeper.poll() is None:
        keeper.terminate()
        try:
            keeper.wait(within_seconds)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
    end_session(keeper.pid)


def end_session(session: int) -> None:
    """Kill what is left of a keeper's session, which is nothing unless the keeper itself was killed. Linux only."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    stat = Path(f"/proc/{name}/stat").read_text("utf-8", errors="replace")
                    if int(stat.rpartition(")")[2].split()[3]) == session:
                        os.kill(int(name), signal.SIGKILL)
