"""What a slow, greedy or stubborn client gets, and that the others do not feel it. Time stands until a test moves it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from controlplane.edge.holding import MOST_SECONDS, Holding
from controlplane.edge.protocol import Connection
from controlplane.edge.ticks import Ticks
from tests.controlplane.edge.conftest import Clock, Running
from tests.controlplane.edge.judges import key
from tests.controlplane.edge.wire import Client, Pipe, get, post

Serve = Callable[..., Running]
ACME, FLOOD = get("/v1/nginx", key=key("acme")), get("/v1/nginx", key=key("flood"))


def _settled(running: Running, connections: int) -> None:
    """Wait until the server has seen so many clients: they connect and close on threads of the kernel's."""
    give_up_at = time.monotonic() + 5
    while running.call(lambda: len(running.service.connections)) != connections:
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def test_a_head_that_comes_slowly_has_five_seconds(running: Running, client: Client) -> None:
    client.send(ACME[:20])
    running.pass_time(4)
    client.send(ACME[20:40])
    assert client.is_quiet()
    running.pass_time(1)
    answer = client.read()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert client.is_ended()


def test_a_request_has_its_time_from_the_first_byte_of_its_method_on(running: Running, client: Client) -> None:
    client.ask(ACME)
    client.send(b"\r\nG")
    assert client.is_quiet()
    running.pass_time(4.9)
    assert client.is_quiet()
    running.pass_time(0.2)
    assert client.read().status == 408


def test_a_body_that_comes_slowly_has_five_seconds(running: Running, client: Client) -> None:
    data = post("/v1/verify", b'{"key":"nobody"}')
    client.send(data[:-5])
    assert client.is_quiet()
    running.pass_time(4)
    client.send(data[-5:-3])
    assert client.is_quiet()
    running.pass_time(1)
    assert client.read().status == 408


def test_who_connects_and_says_nothing_is_let_go(running: Running, client: Client) -> None:
    _settled(running, 1)
    running.pass_time(4.5)
    assert client.is_quiet()
    running.pass_time(0.5)
    assert client.is_ended()


def test_an_idle_connection_is_kept_for_a_while(running: Running, client: Client) -> None:
    client.ask(ACME)
    running.pass_time(74)
    assert client.ask(ACME).status == 204
    running.pass_time(75)
    assert client.is_ended()


def test_a_client_that_waits_for_us_is_not_given_up(running: Running, client: Client) -> None:
    client.send(get("/v1/nginx", key="cpk_live_slow"))
    assert client.is_quiet()
    running.pass_time(1_000)
    running.call(running.judge.release.set)
    assert client.read().status == 204


def test_a_head_in_small_pieces_is_bounded_all_the_same(client: Client) -> None:
    client.send(b"GET /v1/nginx HTTP/1.1\r\nHost: edge\r\n")
    try:
        for number in range(1_000):
            client.send(f"X-{number}: {'a' * 100}\r\n".encode())
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert client.read().status == 431


def test_chunk_sizes_that_say_much_are_bounded(client: Client) -> None:
    client.send(b"POST /v1/verify HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        for _ in range(1_000):
            client.send(b"1;" + b"x" * 200 + b"\r\n{\r\n")
            time.sleep(0)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert client.read().status == 413


def test_a_client_that_does_not_read_is_not_read_either(running: Running) -> None:
    """Answers pile up in the kernel first, then in the process up to a bound; then the client's own sending comes to a halt."""
    with running.client() as client:
        client.socket.setblocking(False)
        sent = 0
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at:
            try:
                sent += client.socket.send(ACME * 200)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                if stuck > 40:
                    break
                time.sleep(0.01)
        assert stuck > 40, "it was read for ever"
        waiting = running.call(lambda: [connection.transport.get_write_buffer_size() for connection in running.service.connections])
        assert max(waiting) < 300_000
        with running.client() as other:
            assert other.ask(ACME).status == 204
        running.pass_time(31)
        _settled(running, 0)


def test_a_client_that_does_not_read_is_let_go_even_while_an_answer_waits(running: Running) -> None:
    pipe = Pipe()

    async def go() -> bool:
        connection = Connection(running.service)
        connection.connection_made(pipe)
        connection.data_received(get("/v1/nginx", key="cpk_live_slow") + ACME)
        connection.pause_writing()
        running.clock.seconds += 29
        running.service.turn()
        early = pipe.ended
        running.clock.seconds += 1.5
        running.service.turn()
        connection.connection_lost(None)
        return early

    assert running.run(go()) is False
    assert pipe.ended


def test_too_many_connections_are_turned_away(serve: Serve) -> None:
    running = serve(connections=2)
    with running.client() as first, running.client() as second:
        assert first.ask(ACME).status == second.ask(ACME).status == 204
        with running.client() as third:
            answer = third.read()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert third.is_ended()
        _settled(running, 2)
        assert first.ask(ACME).status == 204


def test_a_flood_of_refusals_is_held_back_and_its_neighbours_are_not(serve: Serve) -> None:
    running = serve(held_above=5)
    with running.client() as flood, running.client() as quiet:
        started = time.monotonic()
        flood.send(FLOOD * 11)
        assert [flood.read().status for _ in range(5)] == [429] * 5
        assert quiet.ask(ACME).status == 204
        assert [flood.read().status for _ in range(6)] == [429] * 6
        assert time.monotonic() - started >= 6 * MOST_SECONDS / 2, "five a second are let through, and longer nobody waits"
        assert len(running.judge.asked) == 12
        assert running.service.holding.held == 6


def test_a_tenant_that_is_held_back_on_one_connection_is_held_back_on_all(serve: Serve) -> None:
    running = serve(held_above=1)
    with running.client() as first, running.client() as second:
        first.ask(FLOOD)
        second.send(FLOOD)
        assert second.is_quiet(MOST_SECONDS / 3)
        assert second.read().status == 429


def test_whoever_guesses_at_keys_is_held_back_by_its_address(serve: Serve) -> None:
    running = serve(held_above=1)
    guess, other = (get("/v1/nginx", f"X-Real-Ip: {address}", key=key("nobody")) for address in ("203.0.113.9", "203.0.113.10"))
    with running.client() as first, running.client() as second:
        assert first.ask(guess).status == 401
        first.send(guess)
        assert first.is_quiet(MOST_SECONDS / 3)
        assert second.ask(other).status == 401
        assert second.ask(ACME).status == 204
        assert first.read().status == 401
        assert running.service.holding.held == 1


def test_answers_that_had_to_wait_are_held_back_too(serve: Serve) -> None:
    running = serve(held_above=1)
    running.call(running.judge.release.set)
    with running.client() as client:
        client.send(get("/v1/nginx", key="cpk_live_slowflood") * 4 + ACME)
        assert [client.read().status for _ in range(5)] == [429] * 4 + [204]
        assert running.service.holding.held == 3
        assert client.ask(ACME).status == 204


def test_refused_answers_come_one_after_the_other_and_none_waits_for_long() -> None:
    clock = Clock()
    ticks = Ticks(clock, clock)
    holding = Holding(100, ticks)
    delays = [holding.delay("tnt_globex") for _ in range(60)]
    assert delays[:10] == [0.0] * 10, "a tenth of a second's may come at once"
    assert delays[10:35] == pytest.approx([0.01 * place for place in range(1, 26)], rel=1e-3)
    assert all(MOST_SECONDS / 2 <= delay <= MOST_SECONDS for delay in delays[35:])
    assert len(set(delays[35:])) == 25, "those that have no turn are spread out"
    assert holding.delay("tnt_acme") == 0.0
    clock.seconds += 1
    ticks.turn()
    assert holding.delay("tnt_globex") == 0.0
    assert holding.held == 50


def test_whoever_is_refused_no_faster_than_the_bound_never_waits() -> None:
    clock = Clock()
    holding = Holding(100, Ticks(clock, clock))
    for _ in range(300):
        clock.seconds += 0.01
        assert holding.delay("tnt_globex") == 0.0


def test_draining_finishes_what_is_under_way_and_ends_the_rest(running: Running) -> None:
    with running.client() as idle, running.client() as busy, running.client() as half:
        idle.ask(ACME)
        busy.send(get("/v1/nginx", key="cpk_live_slow"))
        half.send(ACME[:20])
        assert busy.is_quiet()

        async def drain() -> bool:
            running.server.close()
            done = running.service.drain(5.0)
            running.clock.seconds += 0  # time stands: draining ends because everything is done
            return await done

        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            drained = pool.submit(running.run, drain())
            assert idle.is_ended()
            half.send(ACME[20:])
            answer = half.read()
            assert (answer.status, answer.headers["connection"]) == (204, "close")
            assert half.is_ended()
            running.call(running.judge.release.set)
            answer = busy.read()
            assert (answer.status, answer.headers["connection"]) == (204, "close")
            assert busy.is_ended()
            half.socket.close()
            busy.socket.close()
            assert drained.result(10) is True
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), 1)


def test_who_is_not_done_when_the_time_is_over_is_cut_off(running: Running, client: Client) -> None:
    client.send(get("/v1/nginx", key="cpk_live_slow"))
    assert client.is_quiet()
    assert running.run(running.service.drain(0.0)) is False
    assert client.is_ended()


def test_what_is_half_here_has_its_time_though_its_client_read_late(running: Running, client: Client) -> None:
    """A client that lets answers lie and then reads them does not win a request without an end."""
    client.send(ACME + ACME[:20])
    assert client.read().status == 204

    def congest() -> None:
        (connection,) = running.service.connections
        connection.pause_writing()
        connection.resume_writing()

    running.call(congest)
    running.pass_time(6)
    assert client.read().status == 408
    assert client.is_ended()


def test_what_is_half_here_has_its_time_though_others_before_it_waited(serve: Serve) -> None:
    """The last of a batch waits for its turn, and then for Redis, while a further request is here in part."""
    running = serve(batch=2)
    with running.client() as client:
        client.send(ACME * 2 + get("/v1/nginx", key=key("slow")) + ACME[:20])
        assert [client.read().status for _ in range(2)] == [204, 204]
        running.call(running.judge.release.set)
        client.read()
        running.pass_time(6)
        assert client.read().status == 408
        assert client.is_ended()
