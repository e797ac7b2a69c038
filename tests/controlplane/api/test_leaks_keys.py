"""The scanner's public keys: asked for over HTTP, within bounds, kept for an hour, and no stranger can make us ask more often."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from controlplane.api.leaks import public_keys, views
from controlplane.api.leaks.public_keys import (
    FRESH_SECONDS,
    STALE_SECONDS,
    KeyServerError,
    LeakKeysUnavailableError,
    PublicKeys,
    fetch_keys,
)
from controlplane.env import SettingError
from tests.controlplane.api.scanner import KeyServer, Scanner, Signer
from tests.controlplane.conftest import ReadSettings


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[KeyServer]:
    server = KeyServer(Signer("one"))
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(server: KeyServer, clock: Clock) -> PublicKeys:
    return PublicKeys(server.url, clock=clock)


def test_keys_are_asked_for_once_an_hour(keys: PublicKeys, server: KeyServer, clock: Clock) -> None:
    assert all(keys.find("one") for _ in range(5))
    clock.now += FRESH_SECONDS - 1
    assert (keys.find("one") is not None, server.asked) == (True, 1)
    clock.now += 2
    assert (keys.find("one") is not None, server.asked) == (True, 2)


def test_unknown_identifiers_ask_at_most_once_a_minute(keys: PublicKeys, server: KeyServer, clock: Clock) -> None:
    assert [keys.find(f"made-up-{number}") for number in range(50)] == [None] * 50
    assert server.asked == 1
    clock.now += 59
    assert (keys.find("made-up"), server.asked) == (None, 1)
    clock.now += 2
    assert (keys.find("made-up"), server.asked) == (None, 2)


def test_a_new_key_is_found_a_minute_later_at_most(keys: PublicKeys, server: KeyServer, clock: Clock) -> None:
    keys.find("one")
    server.entries.append(Signer("two").entry)
    clock.now += 61
    assert keys.find("two") is not None


def test_what_cannot_be_an_identifier_asks_nothing(keys: PublicKeys, server: KeyServer) -> None:
    assert [keys.find(text) for text in ("", "a b", "../x", "é", "x" * 129)] == [None] * 5
    assert server.asked == 0


def test_while_the_server_is_gone_fresh_keys_serve_and_unknown_ones_are_to_come_again(
    keys: PublicKeys, server: KeyServer, clock: Clock
) -> None:
    keys.find("one")
    server.answer = lambda handler: server.send(handler, b"", 500)
    clock.now += 61
    with pytest.raises(LeakKeysUnavailableError) as caught:
        keys.find("two")
    assert 1 <= caught.value.retry_after_seconds <= 11
    assert keys.find("one") is not None
    for _ in range(20):
        with pytest.raises(LeakKeysUnavailableError):
            keys.find("two")
    assert server.asked == 2
    clock.now += FRESH_SECONDS
    assert keys.find("one") is not None  # an old set for a day, rather than refusing every genuine report
    clock.now += STALE_SECONDS
    with pytest.raises(LeakKeysUnavailableError):
        keys.find("one")
    server.answer = server.serve
    clock.now += 61
    assert keys.find("one") is not None


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


ANSWERS: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "refused": (403, b"{}", {}),
    "limited": (429, b"{}", {}),
    "not JSON": (200, b"<html>", {}),
    "not UTF-8": (200, b'{"public_keys": "\xff"}', {}),
    "deep": (200, b"[" * 100_000, {}),
    "a list": (200, b"[]", {}),
    "no keys": (200, b'{"public_keys": []}', {}),
    "keys of no shape": (
        200,
        b'{"public_keys": [1, {}, {"key_identifier": 1, "key": "x"}, {"key_identifier": "a", "key": "x"}]}',
        {},
    ),
    "packed": (200, b"\x1f\x8b\x08", {"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_cannot_be_used(server: KeyServer, name: str) -> None:
    status, raw, headers = ANSWERS[name]
    server.answer = lambda handler: server.send(handler, raw, status, **headers)
    with pytest.raises(KeyServerError):
        fetch_keys(server.url)


def test_a_long_answer_is_left_though_it_could_be_used(server: KeyServer) -> None:
    good = json.dumps({"public_keys": server.entries}).encode()
    within = good + b" " * (public_keys.MOST_BYTES - len(good))
    server.answer = lambda handler: server.send(handler, within)
    assert set(fetch_keys(server.url)) == {"one"}
    server.answer = lambda handler: server.send(handler, within + b" ")
    with pytest.raises(KeyServerError, match="more than"):
        fetch_keys(server.url)


def test_a_redirect_is_not_followed(server: KeyServer) -> None:
    server.answer = lambda handler: server.send(handler, b"", 302, Location=server.url)
    with pytest.raises(KeyServerError, match="302"):
        fetch_keys(server.url)
    assert server.asked == 1


def test_a_server_that_drips_is_left(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_keys, "WHOLE_SECONDS", 0.1)
    server.answer = drip
    with pytest.raises(KeyServerError, match="not done"):
        fetch_keys(server.url)


def test_plain_http_goes_to_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "Client", None)
    with pytest.raises(KeyServerError, match="plain HTTP"):
        fetch_keys("http://keys.example.com/")


def test_outside_dev_only_https_is_a_setting(read_settings: ReadSettings, production: ReadSettings) -> None:
    assert read_settings().GITHUB_KEYS_URL == "https://api.github.com/meta/public_keys/secret_scanning"
    local = "http://127.0.0.1:8080/keys"
    assert local == read_settings(CONTROLPLANE_GITHUB_KEYS_URL=local).GITHUB_KEYS_URL
    with pytest.raises(SettingError, match="CONTROLPLANE_GITHUB_KEYS_URL"):
        production(CONTROLPLANE_GITHUB_KEYS_URL=local)


@pytest.mark.django_db
def test_without_keys_the_hook_answers_503_and_does_nothing(server: KeyServer, settings: Any) -> None:
    from tenants.keys.models import LeakReport

    settings.GITHUB_KEYS_URL = server.url
    server.answer = lambda handler: server.send(handler, b"", 500)
    answer = Scanner(Signer("one")).send(json.dumps([]).encode())
    views.public_keys.cache_clear()
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (503, "leak-keys-unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert not LeakReport.objects.exists()
