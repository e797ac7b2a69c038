"""What all connections of one process share: doors, bounds, numbers, time, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from controlplane.edge.bounds import Bounds
from controlplane.edge.holding import Holding
from controlplane.edge.numbers import Numbers
from controlplane.edge.problems import Problems
from controlplane.edge.repeats import RepeatingDoor, Repeats
from controlplane.edge.requests import Door, Request
from controlplane.edge.ticks import TURN_SECONDS, Ticks

if TYPE_CHECKING:
    from controlplane.edge.protocol import Connection


class Service:
    """``routes`` finds a door by its whole target; ``prefixes`` those that answer every path below theirs; ``elsewhere`` answers the rest.

    One timer (:meth:`turn`) looks after all connections: their deadlines are numbers, not timers. ``idle_at`` is that of a connection that has
    all its answers. Doors that are ``repeating`` do not read again what comes again byte for byte.
    """

    def __init__(
        self, routes: Mapping[bytes, Door], prefixes: Mapping[bytes, Door], elsewhere: Door, *, bounds: Bounds, numbers: Numbers,
        problems: Problems, holding: Holding, ticks: Ticks, repeating: Collection[RepeatingDoor] = (),
    ) -> None:  # fmt: skip
        self.routes = dict(routes)
        self._prefixes, self._elsewhere = tuple(prefixes.items()), elsewhere
        self.bounds, self.numbers, self.problems, self.holding, self.ticks = bounds, numbers, problems, holding, ticks
        self.repeats = Repeats(repeating)
        self.connections: set[Connection] = set()
        self.idle_at = ticks.now + bounds.idle_seconds
        self.is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def find(self, request: Request) -> Door:
        """Give the door of a target that is not in ``routes`` as it stands: with a query, or below a prefix."""
        path = request.target.partition(b"?")[0]
        door = self.routes.get(path)
        if door is not None:
            return door
        for prefix, door in self._prefixes:
            if path == prefix or path.startswith(prefix + b"/"):
                return door
        return self._elsewhere

    def begin(self, answering: Coroutine[Any, Any, None]) -> None:
        """Run an answer's task and keep it from being collected."""
        task = asyncio.get_running_loop().create_task(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start(self) -> None:
        """Begin to turn."""
        self._timer = asyncio.get_running_loop().call_later(TURN_SECONDS, self._turn_again)

    def _turn_again(self) -> None:
        self.start()
        self.turn()

    def turn(self) -> None:
        """Read the clocks, and give up the connections whose deadline is over."""
        self.ticks.turn()
        now = self.ticks.now
        self.idle_at = now + self.bounds.idle_seconds
        for connection in [connection for connection in self.connections if 0.0 < connection.deadline <= now]:
            connection.expire()

    async def drain(self, within_seconds: float) -> bool:
        """Let what is under way be answered, close what is idle, and cut off the rest when the time is over. Says whether nothing was cut off."""
        self.is_draining = True
        self.repeats.close()
        for connection in list(self.connections):
            connection.drain()
        give_up_at = self.ticks.read() + within_seconds
        while self.connections and self.ticks.read() < give_up_at:
            await asyncio.sleep(0.01)
        left = list(self.connections)
        for connection in left:
            connection.cut()
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, give_up_at - self.ticks.read()))
        return not left
