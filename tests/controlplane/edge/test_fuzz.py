"""Whatever is thrown at it: nothing crashes the server, every answer is HTTP, nothing of a traceback or of the key comes back.

Most of it is fed to a connection without a socket, thousands of times a second; ``make test-long`` runs two thousand of each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.edge.assembly import Edge
from controlplane.edge.opening import Parts
from controlplane.edge.protocol import Connection
from controlplane.edge.ticks import Ticks
from tests.controlplane.edge.conftest import CONFIGURATION, Clock
from tests.controlplane.edge.judges import BY_NAME, FakeJudge, key
from tests.controlplane.edge.wire import Answers, Pipe, get, post

NAMES = ["", "nobody", *(name for name in BY_NAME)]
SECRETS = [key(name).encode() for name in NAMES if name]


class World:
    """One edge without a socket."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        judge = FakeJudge(keeps=False)
        self.loop.call_soon(judge.release.set)
        self.edge = Edge(replace(CONFIGURATION, held_above=1_000_000), Parts(judge, judge, judge), Ticks(Clock(), Clock()))

    def answers(self, *pieces: bytes) -> bytes:
        """Feed the pieces to a fresh connection and give what it wrote, held to what HTTP is."""
        return self.loop.run_until_complete(self._answers(pieces))

    async def _answers(self, pieces: tuple[bytes, ...]) -> bytes:
        pipe = Pipe()
        connection = Connection(self.edge.service)
        connection.connection_made(pipe)
        for piece in pieces:
            connection.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        connection.eof_received()
        connection.connection_lost(None)
        return pipe.written


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    assert world.edge.service.connections == set()
    world.loop.close()


def hold(written: bytes, *, heads: bool = False) -> list[int]:
    """Whether it is HTTP and says nothing that it must not; the statuses."""
    assert b"Traceback" not in written
    assert not [secret for secret in SECRETS if secret in written]
    if heads:
        return []
    answers = Answers()
    answers.feed(written)
    for answer in answers.whole:
        assert "server" not in answer.headers
        if answer.headers.get("content-type", "").endswith("json"):
            answer.json()
    return [answer.status for answer in answers.whole]


TARGETS = [
    *("/v1/verify", "/v1/release", "/v1/nginx", "/v1/nginx?refused=403", "/v1/envoy", "/v1/envoy/a?b", "/v1/endpoints", "/healthz"),
    *(
        "/readyz",
        "/v2/keys.verifyKey",
        "/v2/ratelimit.limit",
        "/nothing",
        "*",
        "/",
        "//v1/nginx",
        "/v1/nginx/",
        "http://edge/v1/nginx",
    ),
]
HEADERS = [
    *(
        "X-Edge-Cost",
        "X-Edge-Class",
        "X-Edge-Scopes",
        "X-Real-Ip",
        "X-Request-Id",
        "X-Api-Key",
        "Authorization",
        "Connection",
        "Expect",
    ),
    *("Transfer-Encoding", "Content-Length", "Upgrade", "Content-Type", "Host", "X-Other"),
]
values = st.one_of(
    st.sampled_from(
        ["", "0", "1", "chunked", "close", "keep-alive", "upgrade", "100-continue", "Bearer", "events:read", "192.0.2.1"]
    ),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
)
headers = st.lists(st.tuples(st.sampled_from(HEADERS), values).map(lambda pair: f"{pair[0]}: {pair[1]}"), max_size=6)
names = st.sampled_from(NAMES)
contents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | names.map(key),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    "key cost class scopes address lease permissions credits tags ratelimits namespace identifier limit duration".split()
)
bodies = st.one_of(
    st.binary(max_size=200),
    contents.map(lambda content: json.dumps(content).encode()),
    st.dictionaries(fields, contents, max_size=5).map(lambda content: json.dumps(content).encode()),
    st.tuples(names, st.dictionaries(fields, contents, max_size=3)).map(
        lambda pair: json.dumps({"key": key(pair[0]), **pair[1]}).encode()
    ),
)
methods = st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "DELETE", "PATCH"])


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_bytes(world: World, pieces: list[bytes]) -> None:
    hold(world.answers(*pieces))


@given(st.sampled_from(TARGETS), methods, headers, names)
def test_heads(world: World, target: str, method: str, lines: list[str], name: str) -> None:
    statuses = hold(world.answers(get(target, *lines, method=method, key=key(name) if name else "")))
    assert 500 not in statuses
    assert len(statuses) <= 2


@given(st.sampled_from(TARGETS), headers, names)
def test_heads_that_ask_for_heads(world: World, target: str, lines: list[str], name: str) -> None:
    written = world.answers(get(target, *lines, method="HEAD", key=key(name) if name else ""))
    hold(written, heads=True)
    if written.startswith(b"HTTP/1.1 2"):
        assert written.endswith(b"\r\n\r\n")


@given(st.sampled_from(["/v1/verify", "/v1/release", "/v2/keys.verifyKey", "/v2/ratelimit.limit"]), bodies, names)
def test_bodies(world: World, target: str, body: bytes, name: str) -> None:
    [status] = hold(world.answers(post(target, body, key=key(name) if name else "")))
    assert status in (200, 204, 400, 401, 403, 422, 429, 503)


@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=12), st.data())
def test_pipelines_in_any_pieces(world: World, asked: list[tuple[str, bool]], data: st.DataObject) -> None:
    """However a pipeline is cut into pieces, and whichever answers wait for Redis, the answers are the same and in order."""
    expected = {
        "": 401,
        "nobody": 401,
        "expired": 401,
        "initech": 403,
        "elsewhere": 403,
        "flood": 429,
        "spent": 429,
        "unheard": 503,
    }
    stream = b"".join(
        post("/v1/verify", {"key": key(name) or "none"}) if verify else get("/v1/nginx", key=key(name) if name else "")
        for name, verify in asked
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    statuses = hold(world.answers(*pieces))
    wanted = [(503 if name == "unheard" else 200) if verify else expected.get(name, 204) for name, verify in asked]
    assert statuses == wanted


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3), st.sampled_from(["nginx", "verify"]))
def test_requests_with_a_few_bytes_changed(world: World, place: int, other: bytes, which: str) -> None:
    data = get("/v1/nginx", key=key("acme")) if which == "nginx" else post("/v1/verify", {"key": key("acme")})
    place %= len(data)
    hold(world.answers(data[:place] + other + data[place + len(other) :] + get("/healthz")))
