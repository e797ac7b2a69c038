"""Stands between the supervisor and one part, so that nothing of the part outlives the supervisor.

Run by path, with ``python -I -S keeper.py SUPERVISOR_PID LOCK_FD GRACE_SECONDS COMMAND...``; it imports nothing of the product and
holds about 8 MB. One keeper, one part, one session of its own, so that Ctrl-C at a terminal reaches the supervisor alone.

Guarantees, on Linux:

* when the supervisor dies, however it dies, the part is asked to end (SIGTERM) and after the grace is killed (SIGKILL);
* when the part ends, whatever it left behind ends as well, also what moved to a session of its own: the keeper is the *child
  subreaper*, so every orphan becomes its child;
* when the keeper itself is killed, the part dies with it (``PR_SET_PDEATHSIG``);
* the state folder's lock is held until the last keeper is gone, so that a new start cannot meet a part that is still writing.

``PR_SET_PDEATHSIG`` fires when the *thread* that started us ends, not only when its process does. It is therefore no order to stop:
it makes us look whether the parent is still the same. Elsewhere (macOS) there is no such call; a look twice a second does instead, and
orphans in sessions of their own are not found.

SIGTERM asks the part to end; SIGINT kills at once. The exit status is the part's, or 128 and the signal that ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator

LOOK_SECONDS = 0.5
SWEEP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ON_LINUX = sys.platform.startswith("linux")


def _prctl(option: int, value: int) -> None:
    if _ON_LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _children() -> Iterator[int]:
    """Every living child of this process, adopted orphans included; empty where there is no /proc."""
    me = os.getpid()
    for name in os.listdir("/proc") if _ON_LINUX else ():
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == me:
                    yield int(name)


class Keeper:
    """One part and its family."""

    def __init__(self, supervisor: int, grace_seconds: float) -> None:
        self.supervisor = supervisor
        self.grace_seconds = grace_seconds
        self.part = 0
        self.status: int | None = None
        self.kill_at: float | None = None
        self.wake, self._ring = os.pipe()
        for end in (self.wake, self._ring):
            os.set_blocking(end, False)

    def start(self, command: list[str]) -> None:
        """Start the part in a process group of its own."""
        me = os.getpid()
        self.part = os.fork()
        if self.part:
            return
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == me:
                os.setpgid(0, 0)
                os.execvp(command[0], command)  # noqa: S606  # a command is given as words, never as a line for a shell
        except OSError as error:
            sys.stderr.write(f"cannot start {command[0]}: {error}\n")
        os._exit(127)

    def run(self) -> int:
        """Watch until the part has ended and its family is gone; gives the exit status."""
        while self.status is None:
            select.select([self.wake], [], [], LOOK_SECONDS)
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 512)
            if os.getppid() != self.supervisor:
                self.ask()
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                self._signal(signal.SIGKILL)
            self._reap()
        self._sweep()
        return self.status

    def listen(self) -> None:
        """Turn signals into flags and a byte in the pipe; nothing is done inside a handler."""
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.set_wakeup_fd(self._ring)
        signal.signal(signal.SIGTERM, lambda *_: self.ask())
        signal.signal(signal.SIGINT, lambda *_: self.ask(grace_seconds=0))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def ask(self, grace_seconds: float | None = None) -> None:
        """Ask the part to end; a second asking only ever shortens the time it has."""
        kill_at = time.monotonic() + (self.grace_seconds if grace_seconds is None else grace_seconds)
        if self.kill_at is None:
            self._signal(signal.SIGTERM)
        self.kill_at = kill_at if self.kill_at is None else min(kill_at, self.kill_at)

    def _signal(self, number: int) -> None:
        if self.part and self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.part, number)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.part:
                    code = os.waitstatus_to_exitcode(status)
                    self.status = code if code >= 0 else 128 - code

    def _sweep(self) -> None:
        """Kill what the part left behind; killing a parent hands its children to us, hence the loop."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.part, signal.SIGKILL)
        give_up_at = time.monotonic() + SWEEP_SECONDS
        while time.monotonic() < give_up_at:
            self._reap()
            family = list(_children())
            if not family:
                return
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def main(arguments: list[str]) -> int:
    """Keep one part; see the module's text for the arguments."""
    supervisor, lock, grace_seconds, command = int(arguments[0]), int(arguments[1]), float(arguments[2]), arguments[3:]
    os.umask(0o077)
    if lock >= 0:
        os.set_inheritable(lock, False)
    keeper = Keeper(supervisor, grace_seconds)
    keeper.listen()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    if os.getppid() != supervisor:
        return 0
    keeper.start(command)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
