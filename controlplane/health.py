"""``/livez`` and ``/readyz``: whether this process is alive, and whether it can do its work.

Answered by a middleware, before host checks, redirects to TLS and sessions: a load balancer asks by address and has no cookie.
Liveness touches nothing. Readiness tries each part (database, redis, broker) with a short time-out. Without credentials both say only
``ok`` or ``not ready``; which part it is goes to the logs, and to an operator who is signed in, on ``/console/readyz``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One part: its name, whether it answered, how long that took, and the kind of error when it did not."""

    name: str
    ok: bool
    milliseconds: float
    error: str = ""


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def _ask_redis() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0)
    ) as client:
        client.ping()


def _ask_broker() -> None:
    from controlplane.celery import app  # noqa: PLC0415  # the web process needs Celery only to ask this

    with app.connection_for_write(connect_timeout=TIMEOUT_SECONDS) as broker:
        broker.ensure_connection(max_retries=0, timeout=int(TIMEOUT_SECONDS))


PARTS: dict[str, Callable[[], None]] = {"database": _ask_database, "redis": _ask_redis, "broker": _ask_broker}


def ask(name: str) -> PartHealth:
    """Try one part; never raises. The error is the exception's class: its text may hold an address or a password."""
    started = time.perf_counter()
    try:
        PARTS[name]()
    except Exception as error:  # whatever it is, the part is not ready
        logger.warning("%s does not answer", name, exc_info=True)
        return PartHealth(name, ok=False, milliseconds=_since(started), error=type(error).__name__)
    return PartHealth(name, ok=True, milliseconds=_since(started))


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


class HealthAnswers:
    """Middleware that answers the two paths and hands everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 or 503 with ``{"status": ...}`` and nothing else."""
        if request.method not in ("GET", "HEAD") or request.path_info not in ("/livez", "/readyz"):
            return self.get_response(request)
        if request.path_info == "/livez":
            response = JsonResponse({"status": "ok"})
        else:
            ready = not [name for name in PARTS if not ask(name).ok]  # asks all, so that each that fails is logged
            response = JsonResponse({"status": "ok" if ready else "not ready"}, status=200 if ready else 503)
        response.headers["Cache-Control"] = "no-store"
        return response


def parts_for_operators(request: HttpRequest) -> JsonResponse:
    """Give every part by name with its time and error; only for an operator who has signed in with both factors."""
    user = request.user
    if not (user.is_authenticated and user.is_active and user.is_staff and user.is_verified()):  # type: ignore[attr-defined]  # OTPMiddleware adds it
        return JsonResponse({"status": 404}, status=404)
    parts = [ask(name) for name in PARTS]
    ready = all(part.ok for part in parts)
    body = {part.name: {"ok": part.ok, "milliseconds": part.milliseconds, "error": part.error} for part in parts}
    return JsonResponse({"status": "ok" if ready else "not ready", "parts": body}, status=200 if ready else 503)
