"""The server as a wire sees it: keep-alive, pipelines, chunks, half-closed clients; and what it does not take."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.controlplane.edge.conftest import Running
from tests.controlplane.edge.judges import key
from tests.controlplane.edge.wire import Client, exchange, get, post

ACME = get("/v1/nginx", key=key("acme"))
HEAD = "POST /v1/verify HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n"
BODY = b'{"key":"nobody"}'


def test_a_connection_serves_many_requests(client: Client) -> None:
    for _ in range(3):
        answer = client.ask(ACME)
        assert answer.status == 204
        assert "connection" not in answer.headers
        assert "server" not in answer.headers
        assert answer.headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


def test_pipelined_requests_are_answered_in_their_order_and_with_one_write(running: Running, client: Client) -> None:
    client.send(ACME + get("/v1/nginx") + get("/v1/nginx", key=key("initech")) + ACME)
    assert [client.read().status for _ in range(4)] == [204, 401, 403, 204]


def test_an_answer_that_waits_keeps_those_behind_it_waiting(running: Running, client: Client) -> None:
    client.send(ACME + get("/v1/nginx", key="cpk_live_slow") + get("/v1/nginx") + get("/v1/nginx", key="cpk_live_slow") + ACME)
    assert client.read().status == 204
    assert client.is_quiet()
    running.call(running.judge.release.set)
    assert [client.read().status for _ in range(4)] == [204, 401, 204, 204]


def test_no_more_than_so_many_wait_and_none_is_lost(serve: Callable[..., Running]) -> None:
    running = serve(waiting=4)
    with running.client() as client:
        client.send(get("/v1/nginx", key="cpk_live_slow") * 50)
        assert client.is_quiet()
        assert len(running.judge.asked) == 4
        running.call(running.judge.release.set)
        assert [client.read().status for _ in range(50)] == [204] * 50


def test_a_long_pipeline_is_answered_a_batch_at_a_time(serve: Callable[..., Running]) -> None:
    running = serve(batch=8)
    with running.client() as client:
        client.send(ACME * 100)
        assert [client.read().status for _ in range(100)] == [204] * 100


def test_a_request_byte_by_byte(client: Client) -> None:
    for place in range(len(data := post("/v1/verify", BODY))):
        client.send(data[place : place + 1])
    assert client.read().json()["code"] == "NOT_FOUND"


def test_a_body_in_chunks_and_trailers_that_mean_nothing(running: Running, client: Client) -> None:
    chunks = b"5\r\n" + BODY[:5] + b"\r\n" + b"%x;name=value\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n"
    client.send(HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"X-Api-Key: trailing\r\nHost: other\r\n\r\n")
    assert client.read().status == 200
    assert [ask.text for ask in running.judge.asked] == [b"nobody"]
    client.send(
        b"GET /v1/nginx HTTP/1.1\r\nHost: edge\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Api-Key: "
        + key("acme").encode()
        + b"\r\n\r\n"
    )
    assert client.read().status == 401


def test_expect_100_continue(client: Client) -> None:
    client.send(f"{HEAD}Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n".encode())
    assert client.read().status == 100
    client.send(BODY)
    assert client.read().status == 200
    assert client.ask(get("/v1/nginx", "Expect: a-miracle")).status == 417
    assert client.is_ended()


def test_a_body_that_is_too_large_is_refused_before_it_comes(client: Client) -> None:
    answer = client.ask(f"{HEAD}Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n".encode())
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert client.is_ended()


def test_http_1_0(running: Running) -> None:
    old = f"GET /v1/nginx HTTP/1.0\r\nAuthorization: Bearer {key('acme')}\r\n"
    with running.client() as client:
        answer = client.ask(f"{old}\r\n".encode())
        assert (answer.status, answer.headers["connection"]) == (204, "close")
        assert client.is_ended()
    with running.client() as client:
        for _ in range(2):
            assert client.ask(f"{old}Connection: keep-alive\r\n\r\n".encode()).headers["connection"] == "keep-alive"


def test_a_client_that_wants_to_end(client: Client) -> None:
    client.send(get("/v1/nginx", "Connection: close", key=key("acme")) + ACME)
    assert client.read().headers["connection"] == "close"
    assert client.is_ended()


def test_a_half_closed_client_still_gets_its_answers(running: Running, client: Client) -> None:
    client.send(get("/v1/nginx", key="cpk_live_slow") + ACME)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.is_quiet()
    running.call(running.judge.release.set)
    assert [client.read().status for _ in range(2)] == [204, 204]
    assert client.is_ended()


def test_a_head_has_the_length_of_a_body_and_none(client: Client) -> None:
    client.send(get("/healthz", method="HEAD") + ACME)
    data = b""
    while b"204 No Content" not in data:
        data += client.socket.recv(65_536)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 15" in head
    assert rest.startswith(b"HTTP/1.1 204")


def test_a_bug_of_a_door_is_an_opaque_500_and_the_server_lives(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.ask(get("/v1/nginx", key="cpk_live_broken"))
    assert answer.status == 500
    assert answer.json()["type"].endswith("#internal-error")
    assert b"judge" not in answer.body
    assert "a bug of the judge's" in caplog.text
    assert client.ask(ACME).status == 204


RUBBISH = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400),
    "an unknown method": (b"BREW /v1/nginx HTTP/1.1\r\nHost: edge\r\n\r\n", 501),
    "CONNECT": (b"CONNECT edge:443 HTTP/1.1\r\nHost: edge\r\n\r\nabc", 501),
    "HTTP/2 with prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "another version": (b"GET /v1/nginx HTTP/2.0\r\nHost: edge\r\n\r\n", 505),
    "an upgrade": (get("/v1/nginx", "Connection: upgrade", "Upgrade: websocket"), 501),
    "no host": (b"GET /v1/nginx HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get("/v1/nginx", "Host: other"), 400),
    "two keys": (get("/v1/nginx", "Authorization: Bearer other", key="one"), 400),
    "both lengths": (f"{HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(), 400),
    "both lengths, the other way": (f"{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n".encode(), 400),
    "two lengths": (f"{HEAD}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc".encode(), 400),
    "two lengths in one": (f"{HEAD}Content-Length: 3, 3\r\n\r\nabc".encode(), 400),
    "a length with a sign": (f"{HEAD}Content-Length: +3\r\n\r\nabc".encode(), 400),
    "a length in hexadecimal": (f"{HEAD}Content-Length: 0x3\r\n\r\nabc".encode(), 400),
    "chunks within a coding": (f"{HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".encode(), 501),
    "a coding that is none": (f"{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".encode(), 501),
    "a coding with a tab": (f"{HEAD}Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n".encode(), 400),
    "chunks twice": (f"{HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(), 400),
    "chunks in HTTP/1.0": (b"POST /v1/verify HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a chunk with a sign": (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n".encode(), 400),
    "a folded header": (b"GET /v1/nginx HTTP/1.1\r\nHost: edge\r\nX: a\r\n b\r\n\r\n", 400),
    "a blank before the colon": (b"GET /v1/nginx HTTP/1.1\r\nHost : edge\r\n\r\n", 400),
    "bare line feeds": (b"GET /v1/nginx HTTP/1.1\nHost: edge\n\n", 400),
    "a zero in a header": (b"GET /v1/nginx HTTP/1.1\r\nHost: edge\r\nX: a\0b\r\n\r\n", 400),
    "a header too large": (get("/v1/nginx", f"X: {'a' * 8_200}"), 431),
    "a target too long": (get("/" + "a" * 8_200), 431),
    "headers too many": (get("/v1/nginx", *(f"X-{number}: 1" for number in range(70))), 431),
    "a body too large, in chunks": (
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + (b"1000\r\n" + b"a" * 4_096 + b"\r\n") * 5 + b"0\r\n\r\n",
        413,
    ),
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_gets_an_answer_and_the_end_and_the_server_lives(running: Running, name: str) -> None:
    data, status = RUBBISH[name]
    answers = exchange(running.port, ACME + data, finish=False)
    assert [answer.status for answer in answers] == [204, status]
    assert answers[-1].headers["connection"] == "close"
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert answers[-1].json()["status"] == status
    assert [answer.status for answer in exchange(running.port, ACME)] == [204]


def test_nothing_behind_a_smuggled_request_is_ever_answered(running: Running) -> None:
    """What a proxy might take for a body is never taken for a request here, nor the other way round."""
    hidden = ACME.decode()
    for data in (
        f"{HEAD}Content-Length: {len(hidden)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        f"{HEAD}Content-Length: 0\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}",
        f"{HEAD}Transfer-Encoding: identity\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}",
        f"{HEAD}Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{hidden}",
    ):
        answers = exchange(running.port, data.encode(), finish=False)
        assert [answer.status for answer in answers] == [400], data
    assert running.judge.asked == []


def test_an_unreadable_request_behind_others_waits_for_their_answers(running: Running, client: Client) -> None:
    client.send(get("/v1/nginx", key="cpk_live_slow") + ACME + b"rubbish\r\n\r\n")
    assert client.is_quiet()
    running.call(running.judge.release.set)
    assert [client.read().status for _ in range(3)] == [204, 204, 400]
    assert client.is_ended()
