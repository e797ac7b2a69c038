"""The line to Redis against a server that answers badly, on both event loops: nobody gets another's answer, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from hiredis import Reader
from redis.exceptions import ResponseError

from controlplane.edge.line import AwayError, Line, Script

INFO = b"# Server\r\nrun_id:abc\r\n"
SCRIPT = Script.of("return 1")
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    run: Run = request.param
    return run


class Server:
    """Knows what redis-py asks for to connect; all else is answered by ``replies``, by the command's last word, in pieces of ``piece`` bytes."""

    def __init__(self, replies: dict[bytes, bytes], piece: int = 1 << 20) -> None:
        self._replies = {b"CLIENT": b"+OK\r\n", b"INFO": b"$%d\r\n%b\r\n" % (len(INFO), INFO), b"SCRIPT": b"+sha\r\n"} | replies
        self._piece = piece
        self.open = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        commands = Reader()
        try:
            while data := await reader.read(65_536):
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    await self._answer(command, writer)
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _answer(self, command: list[bytes], writer: asyncio.StreamWriter) -> None:
        reply = self._replies.get(command[-1], self._replies.get(command[0], b"$%d\r\n%b\r\n" % (len(command[-1]), command[-1])))
        for start in range(0, len(reply), self._piece):
            writer.write(reply[start : start + self._piece])
            await asyncio.sleep(0)
        if not reply.endswith(b"\r\n") and reply:  # it hangs up in the middle
            await writer.drain()
            writer.transport.abort()


@asynccontextmanager
async def served(replies: dict[bytes, bytes] | None = None, **given: Any) -> AsyncIterator[Server]:
    server = Server(replies or {}, **given)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    for _ in range(100):
        if not server.open:
            break
        await asyncio.sleep(0.01)
    assert server.open == 0, "a connection was left"


async def outcome(answer: Awaitable[Any]) -> str:
    try:
        return repr(await asyncio.wait_for(answer, 2))
    except (AwayError, ResponseError) as error:
        return f"{type(error).__name__}: {error}"


def test_replies_that_come_byte_by_byte_go_to_whom_they_belong(run: Run) -> None:
    async def go() -> None:
        async with served({b"bad": b"-ERR it is \xff\r\n", b"nested": b"*2\r\n-ERR no\r\n:7\r\n"}, piece=1) as server:
            line = await Line.open(server.url, [SCRIPT])
            words = ["a", "bad", "b" * 300, "nested", "c"]
            calls = [line.call("ECHO", word) for word in words]
            calls[0].cancel()  # whoever asked has gone; the others get theirs all the same
            told = [await outcome(call) for call in calls[1:]]
            assert told[0].startswith("ResponseError: ERR it is")
            assert "7" in told[2]
            assert (told[1], told[3]) == (repr(b"b" * 300), "b'c'")
            await line.close()

    run(go())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"-LOADING Redis is loading\r\n", "LOADING"),
        (b"what\r\n", "Protocol error"),
        (b"$10\r\nabc", "AwayError"),
        (b"+one\r\n+two\r\n", ""),
    ],
)
def test_a_line_that_broke_says_so_to_all_and_stays_broken(run: Run, reply: bytes, said: str) -> None:
    async def go() -> None:
        async with served({b"x": reply}) as server:
            line = await Line.open(server.url, [SCRIPT])
            first = await outcome(line.call("GET", "x"))
            assert said in first
            await asyncio.sleep(0.05)
            assert not line.is_open
            assert (await outcome(line.call("GET", "y"))).startswith("AwayError")
            await line.close()
            await line.close()

    run(go())


def test_who_waits_when_the_line_is_closed_is_told(run: Run) -> None:
    async def go() -> None:
        async with served({b"x": b""}) as server:
            line = await Line.open(server.url, [SCRIPT])
            sent = line.call("GET", "x")
            await asyncio.sleep(0.01)
            unsent = line.call("GET", "x" * 10_000_000)
            await line.close()
            assert await outcome(sent) == await outcome(unsent) == "AwayError: the line was closed"

    run(go())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("silent", [b"INFO", b"SCRIPT"])
def test_an_opening_that_is_given_up_leaves_no_connection(run: Run, silent: bytes) -> None:
    async def go() -> None:
        replies = {silent: b"", b"server": b""} if silent == b"INFO" else {silent: b"", SCRIPT.text.encode(): b""}
        async with served(replies) as server:
            opening = asyncio.ensure_future(Line.open(server.url, [SCRIPT]))
            await asyncio.sleep(0.1)
            assert server.open == 1
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening

    run(go())


@pytest.mark.filterwarnings("error")
def test_a_redis_that_does_not_say_who_it_is_is_away(run: Run) -> None:
    async def go() -> None:
        async with served({b"server": b"$8\r\n# Server\r\n"}) as server:
            assert await outcome(Line.open(server.url, [SCRIPT])) == "AwayError: Redis does not say which process it is"

    run(go())
