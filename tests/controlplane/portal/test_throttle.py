"""Failed attempts are counted, also when many are made at one moment."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import redis

FREE = 5


@pytest.fixture(autouse=True)
def _fresh_counts(clean_redis: redis.Redis) -> None:
    """Nobody has failed yet."""


def at_once(times: int, counts: str = "mbr_1") -> int:
    """Make so many attempts at one moment; gives how many were looked at."""
    from controlplane.portal import throttle

    start, passed = threading.Barrier(times), []

    def attempt() -> None:
        start.wait()
        with contextlib.suppress(throttle.HeldUpError):
            passed.append(throttle.take_turn(throttle.of_code(counts)))

    threads = [threading.Thread(target=attempt) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(passed)


def test_of_many_guesses_at_one_moment_no_more_pass_than_one_after_the_other() -> None:
    from controlplane.portal import throttle

    assert at_once(40) == FREE
    assert throttle.wait_seconds(throttle.of_code("mbr_1")) >= 1


def test_after_a_wait_one_guess_passes_however_many_are_made() -> None:
    from django.core.cache import cache

    from controlplane.portal import throttle

    counts = throttle.of_code("mbr_1")
    assert at_once(40) == FREE
    for _ in range(3):
        cache.delete_many([f"{key}:until" for key in counts])  # it has passed
        assert at_once(40) == 1


def test_each_wait_is_twice_as_long_as_the_last() -> None:
    from django.core.cache import cache

    from controlplane.portal import throttle

    counts = throttle.of_code("mbr_1")
    for _ in range(FREE - 1):
        assert not throttle.take_turn(counts).is_held_up
    for wait in (1, 2, 4, 8, 16):
        assert throttle.take_turn(counts).is_held_up
        assert wait - 1 <= throttle.wait_seconds(counts) <= wait
        with pytest.raises(throttle.HeldUpError):
            throttle.take_turn(counts)
        cache.delete_many([f"{key}:until" for key in counts])  # it has passed


def test_what_was_right_counts_for_nothing() -> None:
    from controlplane.portal import throttle

    counts = throttle.of_account("tnt_1", "dee@acme.example", "10.0.0.1")
    for _ in range(3 * FREE):
        throttle.give_back(throttle.take_turn(counts))
    for _ in range(FREE - 1):
        throttle.take_turn(counts)
    last = throttle.take_turn(counts)
    assert last.is_held_up
    throttle.give_back(last)
    assert throttle.wait_seconds(counts) == 0


def test_a_turn_that_is_lost_at_a_later_count_leaves_the_earlier_ones_as_they_were() -> None:
    """The pair is free, the address is not: what is refused for the address does not count for the pair."""
    from django.core.cache import cache

    from controlplane.portal import throttle

    counts = throttle.of_account("tnt_1", "dee@acme.example", "10.0.0.1")
    pair, address, _ = counts
    cache.set(address, throttle.ADDRESS.free)
    cache.set(f"{address}:until", 0.0)  # begun by another attempt of this moment: over for whoever asks first, and yet there
    with pytest.raises(throttle.HeldUpError) as caught:
        throttle.take_turn(counts)
    assert (caught.value.seconds, cache.get(pair), cache.get(address)) == (1, 0, throttle.ADDRESS.free)
    assert cache.get(f"{pair}:until") is None


def test_while_redis_is_away_nobody_has_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.cache import cache
    from redis.exceptions import RedisError

    from controlplane.portal import throttle

    turn = throttle.take_turn(throttle.of_code("mbr_1"))

    def away(*args: object, **values: object) -> None:
        raise RedisError

    for name in ("get_many", "delete_many"):
        monkeypatch.setattr(type(cache._connections[cache._alias]), name, away)
    with pytest.raises(throttle.ThrottleAwayError):
        throttle.take_turn(throttle.of_code("mbr_1"))
    throttle.give_back(turn)
