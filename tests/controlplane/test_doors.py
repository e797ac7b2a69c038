"""The doors' limits as such: one bucket for everybody of a name, Redis shared, flushed and away."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.http import HttpResponse

from controlplane import doors
from core import gcra
from core.limiter import PAUSE_SECONDS, Limiter, connect
from tenants.keys.codes import Code
from tests.services import HeldPort, Valkey

SLOW = (1, 3)
"""One a second, three at once: none comes back while a test runs, or one."""


@pytest.fixture
def who() -> str:
    return uuid.uuid4().hex


@pytest.fixture(autouse=True)
def _slow(settings: Any) -> None:
    settings.DOOR_LIMITS = dict.fromkeys(settings.DOOR_LIMITS, SLOW)


@pytest.fixture
def at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give a function that makes the doors ask another Redis."""
    doors.limiter.cache_clear()
    monkeypatch.setattr(doors, "_own", doors.Buckets())

    def use(url: str) -> None:
        settings.REDIS_URL = url

    yield use
    doors.limiter.cache_clear()


def admitted(who: str, number: int = 10, name: str = doors.API) -> int:
    return sum(doors.ask(name, who).is_admitted for _ in range(number))


def test_a_burst_is_admitted_and_then_the_caller_is_told_how_long_to_wait(who: str) -> None:
    first = doors.ask(doors.API, who)
    assert (first.code, first.standings[0].name, first.standings[0].remaining) == (Code.VALID, "api", 2)
    assert 2 <= admitted(who) <= 3
    refused = doors.ask(doors.API, who)
    assert (refused.code, refused.refused_by) == (Code.RATE_LIMITED, "api")
    assert refused.retry_after_us is not None
    assert 0 < refused.retry_after_us <= 1_000_000
    response = HttpResponse()
    doors.mark(response, refused)
    assert response.headers["Retry-After"] == "1"
    assert response.headers["RateLimit-Policy"] == '"api";q=3;w=3'
    assert response.headers["RateLimit"].startswith('"api";r=0;t=')
    assert (response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"]) == ("3", "0")
    assert abs(int(response.headers["X-RateLimit-Reset"]) - time.time()) < 5


def test_nobody_spends_anothers(who: str) -> None:
    assert admitted(who) < 10
    assert doors.ask(doors.API, f"{who}-2").is_admitted
    assert doors.ask(doors.MEMBER, who).is_admitted


def test_all_processes_share_one_bucket(who: str) -> None:
    def process(_: int) -> int:
        mine = Limiter(connect(url), logger=logging.getLogger(), away="%s", back="")
        rate = gcra.Limit(1, gcra.MICROSECONDS, burst=3)
        replies = [mine.ask(f"test:{who}", gcra.script_arguments(rate)) for _ in range(5)]
        return sum(reply.allowed for reply in replies if reply is not None)

    from django.conf import settings

    url = settings.REDIS_URL
    with ThreadPoolExecutor(4) as pool:
        assert 3 <= sum(pool.map(process, range(4))) <= 5


def test_a_flushed_redis_gives_the_burst_once_more(clean_redis: redis.Redis, who: str) -> None:
    assert 3 <= admitted(who) < 10
    clean_redis.flushdb()
    assert 3 <= admitted(who) < 10


def test_without_redis_each_process_holds_callers_by_itself(
    at: Callable[[str], None], who: str, caplog: pytest.LogCaptureFixture
) -> None:
    dead = HeldPort()
    at(f"redis://127.0.0.1:{dead.number}/0")
    with caplog.at_level(logging.INFO, logger="controlplane.doors"):
        assert 3 <= admitted(who) < 10  # not none, and not all
        assert doors.ask(doors.API, f"{who}-2").is_admitted
        refused = doors.ask(doors.API, who)
    assert (refused.is_admitted, refused.refused_by) == (False, "api")
    assert [(record.levelname, "Redis does not answer" in record.message) for record in caplog.records] == [("WARNING", True)]
    dead.release()


def test_redis_is_asked_again_when_it_is_back(at: Callable[[str], None], who: str, caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    valkey = Valkey()
    at(valkey.url)
    doors.limiter(valkey.url)._monotonic = lambda: now[0]
    with caplog.at_level(logging.INFO, logger="controlplane.doors"):
        admitted(who)
        valkey.start()
        try:
            doors.ask(doors.API, f"{who}-1")  # it is being left alone
            now[0] += PAUSE_SECONDS
            doors.ask(doors.API, f"{who}-2")
            with redis.Redis.from_url(valkey.url) as client:
                assert client.keys("*") == [f"{doors.PREFIX}:api:{who}-2".encode()]
            valkey.kill()
            assert doors.ask(doors.API, f"{who}-3").is_admitted
        finally:
            valkey.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


def test_a_process_does_not_remember_callers_without_end() -> None:
    buckets, limit = doors.Buckets(most=100), gcra.Limit(1, gcra.MICROSECONDS, burst=3)
    for number in range(1_000):
        buckets.ask(f"caller {number}", limit, 0)
        buckets.ask("the loud one", limit, 0)
    assert len(buckets) == 100
    assert not buckets.ask("the loud one", limit, 0).allowed
