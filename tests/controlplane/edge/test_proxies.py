"""The shipped nginx and Envoy configurations, on the real programs: who gets through, what the application and the caller are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.edge.identity import read
from tests.controlplane.edge.conftest import CONFIGURATION, IDENTITY_KEYS, Running
from tests.controlplane.edge.judges import key
from tests.controlplane.edge.proxies import Application, Proxy, start_envoy, start_nginx
from tests.controlplane.edge.wire import Answer, Client, get, post

SPOOFED = (
    *("X-Tenant-Id: tnt_globex", "X-Key-Id: key_globex", "X-Key-Scopes: everything:all", "X-Edge-Identity: v1.1.1.x.y"),
    *("X-Edge-Cost: 0", "X-Edge-Class: free", "X-Edge-Scopes:", "X-Real-Ip: 10.1.1.1", "X-Edge-Status: 204"),
)
LIMITS = {"ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


class World:
    """A proxy between a client, the edge's doors and an application."""

    def __init__(self, edge: Running, application: Application, proxy: Proxy) -> None:
        self.edge, self.application, self.proxy = edge, application, proxy

    def ask(self, data: bytes) -> Answer:
        with Client(self.proxy.port) as client:
            return client.ask(data)


@pytest.fixture(scope="module")
def application() -> Iterator[Application]:
    application = Application()
    yield application
    application.stop()


@pytest.fixture(scope="module", params=["nginx", "envoy"])
def standing(request: pytest.FixtureRequest, application: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    edge = Running(CONFIGURATION)
    folder: Path = tmp_path_factory.mktemp(request.param)
    proxy = (start_nginx if request.param == "nginx" else start_envoy)(folder, edge.port, application.port)
    yield World(edge, application, proxy)
    proxy.stop()
    edge.stop()


@pytest.fixture
def world(standing: World) -> World:
    standing.application.asked.clear()
    standing.edge.judge.asked.clear()
    return standing


def test_the_admitted_gets_through_with_its_identity_and_without_its_key(world: World) -> None:
    answer = world.ask(get("/things?q=1", *SPOOFED, key=key("acme")))
    assert answer.status == 200
    assert answer.headers.keys() >= LIMITS
    assert not answer.headers.keys() & {"x-tenant-id", "x-edge-identity", "x-key-id", "x-key-scopes"}
    [(method, path, headers)] = world.application.asked
    assert (method, path) == ("GET", "/things?q=1")
    assert (headers["x-tenant-id"], headers["x-key-id"]) == ("tnt_acme", "key_acme")
    assert headers["x-key-scopes"] == "events:read events:write"
    identity = read(headers["x-edge-identity"], IDENTITY_KEYS, int(world.edge.clock.seconds))
    assert (identity.tenant_id, identity.key_id) == ("tnt_acme", "key_acme")
    assert not headers.keys() & {"authorization", "x-api-key", "x-edge-cost", "x-edge-class", "x-edge-scopes"}
    assert headers.get("x-real-ip") in ("127.0.0.1", None)
    [ask] = world.edge.judge.asked
    assert (ask.cost, ask.scopes, ask.address) == (1, (), "127.0.0.1")


def test_a_key_in_its_own_header(world: World) -> None:
    assert world.ask(get("/things", f"X-Api-Key: {key('acme')}")).status == 200
    assert "x-api-key" not in world.application.asked[0][2]


def test_a_key_without_scopes_gets_none_of_the_caller_s(world: World) -> None:
    assert world.ask(get("/things", *SPOOFED, key=key("unlimited"))).status == 200
    headers = world.application.asked[0][2]
    assert headers.get("x-key-scopes", "") == ""
    assert headers["x-tenant-id"] == "tnt_acme"


@pytest.mark.parametrize("name", ["", "nobody", "expired"])
def test_without_a_good_key_it_is_401(world: World, name: str) -> None:
    answer = world.ask(get("/things", *SPOOFED, key=key(name) if name else ""))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 401
    assert world.application.asked == []


@pytest.mark.parametrize("name", ["initech", "elsewhere"])
def test_who_may_not_is_403(world: World, name: str) -> None:
    answer = world.ask(get("/things", key=key(name)))
    assert (answer.status, answer.json()["status"]) == (403, 403)
    assert world.application.asked == []


@pytest.mark.parametrize("name", ["flood", "spent"])
def test_who_has_had_enough_is_429_with_all_that_is_to_be_known(world: World, name: str) -> None:
    answer = world.ask(get("/things", key=key(name)))
    assert (answer.status, answer.json()["type"]) == (429, "https://controlplane.example/docs/problems#quota-exceeded")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers.keys() >= LIMITS
    assert "x-edge-status" not in answer.headers
    assert world.application.asked == []


def test_an_edge_that_cannot_say_lets_nobody_in(world: World) -> None:
    answer = world.ask(get("/things", key=key("unheard")))
    assert (answer.status, answer.headers["retry-after"], answer.json()["status"]) == (503, "1", 503)
    assert world.application.asked == []


def test_a_route_s_scopes_are_the_proxy_s_word(world: World) -> None:
    assert world.ask(post("/events", {}, key=key("unlimited"))).status == 403
    assert world.ask(post("/events", {}, "X-Edge-Scopes: ", key=key("acme"))).status == 200
    assert world.ask(post("/other/..//%65vents", {}, key=key("unlimited"))).status == 403
    assert [ask.scopes for ask in world.edge.judge.asked] == [("events:write",)] * 3


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_any_method(world: World, method: str) -> None:
    data = get("/things", "Connection: close", method=method, key=key("acme"))
    with Client(world.proxy.port) as client:
        client.send(data)
        assert client.socket.recv(65_536).startswith(b"HTTP/1.1 200")
    assert world.application.asked[0][0] == method


def test_what_the_application_says_is_its_own(world: World) -> None:
    answer = world.ask(get("/teapot", key=key("acme")))
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/json"


def test_a_body_reaches_the_application_and_not_the_edge(world: World) -> None:
    answer = world.ask(post("/things", b"x" * 100_000, key=key("acme")))
    assert answer.status == 200
    assert world.application.asked[0][2]["content-length"] == "100000"


@pytest.mark.parametrize("start", [start_nginx, start_envoy], ids=["nginx", "envoy"])
def test_an_edge_that_is_away_lets_nobody_in(start: object, application: Application, tmp_path: Path) -> None:
    proxy: Proxy = start(tmp_path, 9, application.port)  # type: ignore[operator]  # nobody answers there
    application.asked.clear()
    try:
        with Client(proxy.port) as client:
            answer = client.ask(get("/things", key=key("acme")))
        assert answer.status == 503
        assert application.asked == []
    finally:
        proxy.stop()
