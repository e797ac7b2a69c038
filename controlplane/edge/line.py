"""The edge's line to Redis: one connection, on which what is asked in one turn of the event loop goes out together.

Answers come back in the order of the questions, so a thousand requests that wait cost one connection and few system calls. redis-py connects
(addresses, TLS, who we are); from then on the line reads and writes by itself, with hiredis, since redis-py's reading of one reply costs more
than Redis' answering. There is nothing here that tries again, because whoever asks must know that an answer may be missing. A line that broke
stays broken: :mod:`controlplane.edge.hearing` opens the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from hiredis import HiredisError, Reader, pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

CONNECT_SECONDS = 1.0
MOST_WAITING = 20_000
"""Questions that may be open at once; more are refused, as a Redis that is so far behind is as good as away."""


MORE = object()
"""What stands for a reply of which a part is still to come."""


class AwayError(Exception):
    """Redis did not answer. What was asked may have been done all the same."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and what Redis calls it."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        """Give a script by its text."""
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Line(asyncio.Protocol):
    """One connection, to the Redis process with :attr:`run_id`. For one event loop."""

    def __init__(self, connection: AbstractConnection, run_id: str) -> None:
        self._connection = connection
        self.run_id = run_id
        self._unsent: list[bytes] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._is_sending = False
        self._error: AwayError | None = None
        self._loop = asyncio.get_running_loop()
        self._replies = Reader(replyError=ResponseError, notEnoughData=MORE)
        self._transport = transport_of(connection)
        self._transport.set_protocol(self)

    @classmethod
    async def open(cls, url: str, scripts: Sequence[Script] = ()) -> Line:
        """Open a line to a Redis that knows these scripts, so that none of them is ever overtaken for being sent twice. Raises AwayError."""
        line = cls(*await connect(url))
        async with in_time(line.close):
            await asyncio.gather(*(line.call("SCRIPT", "LOAD", script.text) for script in scripts))
        return line

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._error is None

    def call(self, name: str, *arguments: Any) -> asyncio.Future[Any]:
        """Ask; the future ends with the reply, with a ResponseError of Redis's, or with AwayError."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._error is not None or len(self._waiting) >= MOST_WAITING:
            future.set_exception(self._error or AwayError("too much is waiting for Redis"))
            return future
        try:
            self._unsent.append(pack_command((name, *arguments)))
        except (HiredisError, TypeError, ValueError) as error:  # it never gets into the line, so nobody gets another's answer
            future.set_exception(AwayError(f"this cannot be sent to Redis: {type(error).__name__}"))
            return future
        self._waiting.append(future)
        if not self._is_sending:
            self._is_sending = True
            self._loop.call_soon(self._send)
        return future

    async def run(self, script: Script, keys: Sequence[Any], arguments: Sequence[Any]) -> Any:
        """Run a script; one that Redis does not know yet is sent whole. Raises AwayError, ResponseError."""
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await self.call("EVAL", script.text, len(keys), *keys, *arguments)

    async def close(self) -> None:
        """Close it; whoever still waits is told that Redis is away. Repeatable."""
        self._break(AwayError("the line was closed"))
        await hang_up(self._connection)

    def _send(self) -> None:
        self._is_sending = False
        if self._unsent:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Give out the replies that came."""
        try:
            self._replies.feed(data)
            while (reply := self._replies.gets()) is not MORE:
                self._give_out(reply)
        except HiredisError as error:
            self._break(AwayError(str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._break(AwayError(str(exc or "Redis has hung up")))

    def _give_out(self, reply: Any) -> None:
        if not self._waiting or (isinstance(reply, ResponseError) and str(reply).startswith("LOADING")):
            # What is read from a Redis that is just reading its own memory back is as good as nothing.
            self._break(AwayError(str(reply) if self._waiting else "Redis answered what nobody asked"))
            return
        future = self._waiting.popleft()
        if future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def _break(self, error: AwayError) -> None:
        self._error = self._error or error
        self._unsent.clear()
        self._transport.abort()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever gave up waiting must not be told in the log


async def connect(url: str) -> tuple[AbstractConnection, str]:
    """Connect once, and ask which process answers; gives the connection and the ``run_id``. Raises AwayError."""
    client = Redis.from_url(
        url, socket_timeout=None, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0), protocol=2
    )
    connection = cast(AbstractConnection, client.connection_pool.make_connection())  # type: ignore[no-untyped-call]
    async with in_time(lambda: hang_up(connection)):
        await connection.connect()  # type: ignore[no-untyped-call]
        await connection.send_command("INFO", "server", check_health=False)
        told = await connection.read_response()
        lines = dict(line.split(b":", 1) for line in bytes(told).split(b"\r\n") if b":" in line)
        if b"run_id" not in lines:
            raise AwayError("Redis does not say which process it is")
    return connection, lines[b"run_id"].decode()


@asynccontextmanager
async def in_time(end: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do something with Redis in :data:`CONNECT_SECONDS`. Where it fails, or whoever wants it is cancelled, ``end`` hangs up. Raises AwayError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            yield
    except BaseException as error:
        await end()
        if isinstance(error, RedisError | OSError | TimeoutError):
            raise AwayError(str(error) or "Redis did not answer in time") from None
        raise


def transport_of(connection: AbstractConnection) -> asyncio.Transport:
    """Give the transport of a connection on which nothing is under way, to be read by somebody else than redis-py."""
    writer = cast(asyncio.StreamWriter, connection._writer)
    return cast(asyncio.Transport, writer.transport)


async def hang_up(connection: AbstractConnection) -> None:
    """End a connection, whatever state it is in."""
    try:
        await cast(Awaitable[None], connection.disconnect(nowait=True))
    except (RedisError, OSError):
        return
