"""Several edges asked with one key again and again, to see when the last of them begins to refuse."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bench.edge.peers.peer import HEADER
from tests.services import LOOPBACK

ADMITTED = (200, 204)
PAUSE_SECONDS = 0.004
"""Between two questions to one edge: how late a refusal is seen at most, and little enough work for a machine of two cores."""


@dataclass(slots=True)
class Sight:
    """What one edge answered: the moment of the first refusal after the last admission, and whether it came to the answer that is to be."""

    refused_at: float = 0.0
    is_settled: bool = False


class Watch:
    """Ask every edge with a key until each gives ``status``, or time is up. Threads, since whoever acts meanwhile blocks."""

    def __init__(self, ports: Sequence[int], path: str, key: str, *, status: int, seconds: float) -> None:
        self.sights = [Sight() for _ in ports]
        self._path, self._key, self._status = path, key, status
        self._until = time.perf_counter() + seconds
        self._begun = threading.Barrier(len(ports) + 1)
        self._threads = [
            threading.Thread(target=self._ask, args=(port, sight)) for port, sight in zip(ports, self.sights, strict=True)
        ]

    def begin(self) -> None:
        """Return when every edge has admitted the key once. Raises BrokenBarrierError when one does not within ten seconds."""
        for thread in self._threads:
            thread.start()
        self._begun.wait(10)

    def end(self) -> list[Sight]:
        """Wait until all have settled or time is up."""
        for thread in self._threads:
            thread.join()
        return self.sights

    def _ask(self, port: int, sight: Sight) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
        while self._once(connection) not in ADMITTED:
            if time.perf_counter() > self._until:
                return
            time.sleep(0.01)
        with suppress(threading.BrokenBarrierError):
            self._begun.wait(10)
        while not sight.is_settled and time.perf_counter() < self._until:
            status = self._once(connection)
            if status in ADMITTED:
                sight.refused_at = 0.0
            elif not sight.refused_at:
                sight.refused_at = time.perf_counter()
            sight.is_settled = status == self._status
            time.sleep(PAUSE_SECONDS)
        connection.close()

    def _once(self, connection: http.client.HTTPConnection) -> int:
        try:
            connection.request("GET", self._path, headers={HEADER: self._key})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0
        return answer.status
