"""The edge's doors on loopback over a fake judge, in a thread of this process, and a Valkey of one's own for the real one; nothing of a database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest
import uvloop

from controlplane.edge.assembly import Doors
from controlplane.edge.bounds import Bounds
from controlplane.edge.configuration import Configuration
from controlplane.edge.opening import Parts
from controlplane.edge.protocol import Connection
from controlplane.edge.ticks import Ticks
from tenants.limits.costs import Costs
from tests.controlplane.edge.judges import FakeJudge
from tests.controlplane.edge.wire import Client
from tests.controlplane.edge.world import Platform
from tests.services import Valkey

T = TypeVar("T")
IDENTITY_KEYS = {1: b"first-identity-key-for-the-tests-0", 2: b"second-identity-key-for-the-tests-"}
CONFIGURATION = Configuration(
    redis_url="unix:///nowhere",
    peppers={1: b"p" * 32},
    identity_keys=IDENTITY_KEYS,
    endpoints={"ingest": "https://ingest.example.com/{tenant}", "query": "https://query.example.com"},
    costs=Costs({"read": 1, "write": 5}),
)


class Clock:
    """A clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Running:
    """A running server: its port, its judge, its clock, and a way to do something on its loop."""

    def __init__(self, configuration: Configuration) -> None:
        self.judge, self.clock = FakeJudge(), Clock()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        parts = Parts(self.judge, self.judge, self.judge)
        self.edge = Doors(configuration, parts, Ticks(self.clock, self.clock))
        self.service = self.edge.service
        self.server: asyncio.Server = self.run(self._serve())
        self.port: int = self.server.sockets[0].getsockname()[1]

    async def _serve(self) -> Any:
        return await asyncio.get_running_loop().create_server(lambda: Connection(self.service), "127.0.0.1", 0)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def call(self, work: Callable[[], T]) -> T:
        async def do() -> T:
            return work()

        return self.run(do())

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on, and the server look at it."""
        self.clock.seconds += seconds
        self.call(self.service.turn)

    def client(self) -> Client:
        return Client(self.port)

    def stop(self) -> None:
        self.call(self.judge.release.set)
        self.call(self.server.close)
        self.call(lambda: [connection.cut() for connection in list(self.service.connections)])
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Give a function that starts a server with bounds of the test's own."""
    started: list[Running] = []

    def start(*, held_above: int = 1_000_000, **bounds: Any) -> Running:
        started.append(Running(replace(CONFIGURATION, bounds=Bounds(**bounds), held_above=held_above)))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def running(serve: Callable[..., Running]) -> Running:
    return serve()


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with running.client() as client:
        yield client


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A Valkey for each test module, with nothing else in it."""
    service = Valkey()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def platform(valkey: Valkey) -> Platform:
    """An empty Redis, and the control plane's hand on it."""
    platform = Platform(valkey.url)
    platform.board._redis.flushall()
    return platform
