"""Starts parts, waits until each is ready, watches them, and ends them. Knows nothing of what the parts are.

Every part runs under a keeper (``keeper.py``), which sees to it that nothing of it outlives this process. A part that ends by itself is
started again after 1, 2, 4, 8 seconds; after ``MAX_ENDINGS`` endings within ``ENDINGS_WINDOW_SECONDS`` the supervisor gives up and says so
in ``failure``, since a part that never stays up needs a person and not a loop.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from controlplane.embedded import parts
from controlplane.embedded.parts import Part, PartError
from controlplane.embedded.state import StateFolder
from core.errors import DomainError

LOOK_SECONDS = 0.1
MAX_ENDINGS = 5
ENDINGS_WINDOW_SECONDS = 300.0


@dataclass(slots=True)
class _Running:
    part: Part
    keeper: subprocess.Popen[bytes]
    endings: list[float] = field(default_factory=list)
    start_again_at: float | None = None


def _say_nothing(_text: str) -> None:
    pass


class Supervisor:
    """Owns the parts of one state folder.

    ``notice`` hears what people should know; ``restarted`` hears, on the watching thread, the name of a part that ended and is ready again.
    """

    def __init__(
        self, state: StateFolder, *, notice: Callable[[str], None] = _say_nothing, restarted: Callable[[str], None] = _say_nothing
    ) -> None:
        self.state = state
        self.notice = notice
        self.restarted = restarted
        self.failure: DomainError | None = None
        self.finished = threading.Event()
        self._running: dict[str, _Running] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self, part: Part) -> None:
        """Start a part; it may not be ready yet."""
        with self._lock:
            if self._stopping.is_set():
                raise PartError(f"{part.name} was not started: the stack is ending.")
            parts.rotate(self.state.log(part.name))
            self._running[part.name] = _Running(part, self._keep(part))

    def wait_ready(self, *names: str) -> None:
        """Return when every named part answers its own readiness question. Raises PartError naming the first that did not."""
        started = time.monotonic()
        for name in names:
            running = self._running[name]
            while missing := self._missing(running):
                if time.monotonic() - started > running.part.ready_within_seconds:
                    raise PartError(
                        f"{name} was not ready within {running.part.ready_within_seconds:.0f} s: {missing}{self.tail(name)}"
                    )
                if self._stopping.wait(LOOK_SECONDS):
                    raise PartError(f"{name} was not ready when the stack was ended.")

    def run_once(self, part: Part, *, on_line: Callable[[str], None] | None = None) -> None:
        """Run a part to its end, which must come within its ``ready_within_seconds``. Raises PartError unless it succeeds.

        With ``on_line`` its standard output goes there, a line at a time, and only the rest into its log.
        """
        parts.rotate(self.state.log(part.name))
        keeper = self._keep(part, stdout=subprocess.PIPE if on_line else None)
        reader = threading.Thread(target=parts.read_lines, args=(keeper, on_line), daemon=True)
        give_up_at = time.monotonic() + part.ready_within_seconds
        try:
            reader.start()
            while keeper.poll() is None:
                if time.monotonic() > give_up_at:
                    raise PartError(f"{part.name} did not end within {part.ready_within_seconds:.0f} s.{self.tail(part.name)}")
                if self._stopping.wait(LOOK_SECONDS):
                    raise PartError(f"{part.name} was ended with the stack.")
        finally:
            parts.end(keeper, within_seconds=part.grace_seconds + parts.SWEEP_SECONDS)
            reader.join(1.0)
        if keeper.returncode != 0:
            raise PartError(f"{part.name} failed with status {keeper.returncode}.{self.tail(part.name)}")

    def replace(self, part: Part, *, between: Callable[[], None] = lambda: None) -> None:
        """End a running part and start it in this shape, as when its credentials have changed; returns when it is ready.

        ``between`` runs while the part is down.
        """
        with self._lock:
            if self._stopping.is_set():
                return
            parts.end(self._running[part.name].keeper, within_seconds=part.grace_seconds + parts.SWEEP_SECONDS)
            between()
            self._running[part.name] = _Running(part, self._keep(part))
        self.wait_ready(part.name)

    def watch(self) -> None:
        """Begin to watch, on a thread of its own, for parts that end by themselves."""
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def interrupt(self, *, at_once: bool = False) -> None:
        """Make whoever waits here give up, so that :meth:`stop` comes soon; ``at_once`` also kills every part. From any thread."""
        self._stopping.set()
        self.finished.set()
        if at_once:
            self._send(signal.SIGINT, self._running.values())

    def stop(self) -> None:
        """End every part, the highest floor first; returns when all are gone. Repeatable."""
        self._stopping.set()
        with self._lock:
            running = list(self._running.values())
            for floor in sorted({each.part.floor for each in running}, reverse=True):
                members = [each for each in running if each.part.floor == floor]
                self._send(signal.SIGTERM, members)
                for each in members:
                    parts.end(each.keeper, within_seconds=each.part.grace_seconds + parts.SWEEP_SECONDS)
            self._running.clear()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
        self.finished.set()

    def keepers(self) -> dict[str, int]:
        """The process ids of the keepers, by part."""
        return {name: running.keeper.pid for name, running in self._running.items()}

    def tail(self, name: str) -> str:
        """The end of a part's log, ready to be put after a sentence."""
        return parts.tail(self.state.log(name))

    def _keep(self, part: Part, *, stdout: int | None = None) -> subprocess.Popen[bytes]:
        return parts.launch(part, log=self.state.log(part.name), lock_fd=self.state.lock_fd, stdout=stdout)

    def _missing(self, running: _Running) -> str:
        code = running.keeper.poll()
        if code is not None:
            raise PartError(f"{running.part.name} ended with status {code} before it was ready.{self.tail(running.part.name)}")
        return running.part.is_ready()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            with self._lock:
                names = [name for name, running in self._running.items() if running.keeper.poll() is not None]
            for name in names:
                try:
                    self._look_after(name)
                except DomainError as error:
                    if not self._stopping.is_set():
                        self.failure = error
                        self.finished.set()
                    return

    def _look_after(self, name: str) -> None:
        running, now = self._running[name], time.monotonic()
        if running.start_again_at is None:
            parts.end_session(running.keeper.pid)
            running.endings = [at for at in running.endings if now - at < ENDINGS_WINDOW_SECONDS] + [now]
            if len(running.endings) >= MAX_ENDINGS:
                raise PartError(
                    f"{name} ended {MAX_ENDINGS} times within {ENDINGS_WINDOW_SECONDS / 60:.0f} minutes.{self.tail(name)}"
                )
            delay = 2.0 ** (len(running.endings) - 1)
            running.start_again_at = now + delay
            self.notice(f"{name} ended with status {running.keeper.returncode}; starting it again in {delay:.0f} s.")
        elif now >= running.start_again_at:
            with self._lock:
                if self._stopping.is_set():
                    return
                part = running.part
                running.keeper = self._keep(part)
                running.start_again_at = None
            self.wait_ready(name)
            self.notice(f"{name} is ready again.")
            self.restarted(name)

    def _send(self, number: int, members: Iterable[_Running]) -> None:
        for running in tuple(members):
            with contextlib.suppress(ProcessLookupError):
                if running.keeper.poll() is None:
                    running.keeper.send_signal(number)
