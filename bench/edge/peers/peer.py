"""One server that is measured: how it is started, asked and checked."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from bench.edge.cast import Caller, Cast
from bench.edge.machine import missing, missing_packages, on_core
from tests.services import LOOPBACK, START_SECONDS, HeldPort, Service, Valkey

HEADER = "X-Api-Key"
WRONG = "cpk_live_0000000000000000_000000000000000000000000000000000000000"
ROOT = Path(__file__).parents[3]


class Store(Valkey):
    """The Redis of all peers: on the server's core, reached through a Unix socket by those that can."""

    def __init__(self, core: int) -> None:
        super().__init__()
        self.socket = self.folder / "redis.sock"
        self.command = on_core(core, [*self.command, "--unixsocket", str(self.socket)])


class Peer(Service):
    """A server of which one process works, with whatever watches over it, on one core.

    ``name`` is the row's in the tables; ``does`` says what is not as in ours. ``needs`` are programs and packages that must be installed;
    what is not ``is_limiting`` answers everybody alike.
    """

    does = ""
    path = "/"
    needs: tuple[str, ...] = ()
    needs_packages: tuple[str, ...] = ()
    is_limiting = True

    def __init__(self, name: str, core: int, cast: Cast, store: Store) -> None:
        self.port, self.cast, self.store, self.core = HeldPort(), cast, store, core
        super().__init__(name, [])

    @classmethod
    def why_not(cls) -> str:
        """Say why it cannot be measured here; empty when it can."""
        gone = missing(*cls.needs) + missing_packages(*cls.needs_packages)
        return f"not installed: {', '.join(gone)}" if gone else ""

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self.process.pid

    def key_of(self, caller: Caller) -> str:
        """Give a caller's key as this peer knows it."""
        return caller.text

    def prepare(self) -> list[str]:
        """Write what it reads into its folder, or into Redis, and give its command."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and check that it knows a key, no other, and the limit of the loud one."""
        self.command = on_core(self.core, self.prepare())
        self.port.release()
        super().start()
        give_up_at = time.monotonic() + START_SECONDS
        while not self._answers():
            self.check_alive()
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{self.name} did not answer within {START_SECONDS:.0f} s:\n{self.log()[-2000:]}")
            time.sleep(0.05)
        self._check()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def ask(self, key: str) -> int:
        """Ask once; gives the status."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port.number, timeout=10)
        try:
            connection.request("GET", self.path, headers={HEADER: key})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            return self.ask(self.key_of(self.cast.many[0])) in (200, 204)
        except OSError:
            return False

    def _check(self) -> None:
        if not self.is_limiting:
            return
        known = {self.ask(self.key_of(caller)) for caller in self.cast.many[:5]}
        unknown, loud = self.ask(WRONG), [self.ask(self.key_of(self.cast.loud)) for _ in range(60)]
        if not (known <= {200, 204} and unknown in (401, 403) and 429 in loud and {200, 204} & set(loud)):
            raise RuntimeError(
                f"{self.name} answers {known} to known keys, {unknown} to an unknown one, {set(loud)} to the loud one"
            )
