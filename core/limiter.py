"""One limit a key, decided by :mod:`core.gcra` inside Redis for all processes together, with a Redis that may be away.

Owns the asking alone: what is limited, and what becomes of a call while nobody can be asked, is the caller's to say. Time-outs are
short, and nothing is tried twice. After a failure Redis is left alone for some seconds, so that an outage costs few callers its time-out;
one line is logged at its beginning and one at its end. Safe across threads and forks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core import gcra

TIMEOUT_SECONDS = 0.5
PAUSE_SECONDS = 5.0
"""How long Redis is left alone after it failed to answer."""


class Limiter:
    """Asks a Redis. ``away``, with the reason at its ``%s``, and ``back`` are logged when it stops answering and when it answers again."""

    def __init__(
        self, redis: Redis, *, logger: logging.Logger, away: str, back: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._script = redis.register_script(gcra.LUA)
        self._logger, self._away, self._back = logger, away, back
        self._monotonic = monotonic
        self._silent_until: float | None = None

    def ask(self, key: str, arguments: tuple[int, int, int, int]) -> gcra.Decision | None:
        """Decide one call (:func:`core.gcra.script_arguments`) under the limit of that name; None while Redis is away."""
        if self._silent_until is not None and self._monotonic() < self._silent_until:
            return None
        try:
            reply = self._script(keys=[key], args=arguments)
        except RedisError as error:
            if self._silent_until is None:
                self._logger.warning(self._away, error)
            self._silent_until = self._monotonic() + PAUSE_SECONDS
            return None
        if self._silent_until is not None:
            self._silent_until = None
            self._logger.info(self._back)
        return gcra.read_reply(reply)


def connect(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Redis:
    """Give a client for the Redis at ``url`` (``redis://``, ``rediss://`` or ``unix://``), with short time-outs and no retries of its own."""
    return Redis.from_url(url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, retry=Retry(NoBackoff(), 0))
