"""``/healthz``, ``/readyz`` and ``/metrics``: for load balancers and operators. They say nothing of any tenant.

The first two are on every process's own port; the parent has all three on the operators' port, over all processes together.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from controlplane.edge import problems as kinds
from controlplane.edge.problems import Kind, ProblemError
from controlplane.edge.requests import Answer, Request
from controlplane.edge.ticks import Ticks

UNHEARD = "Redis has not been heard from within the bound."
DRAINING = "The process is ending."


def _plain(ticks: Ticks, status: bytes, media_type: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Type: %b\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%b" % (
        *(status, ticks.date, media_type),
        *(len(body), body),
    )


class ProbeDoor:
    """Answers 200, or 503 with what ``missing`` says; an empty text is that all is well."""

    def __init__(self, ticks: Ticks, missing: Callable[[], str] = str) -> None:
        self._ticks, self._missing = ticks, missing

    def answer(self, request: Request) -> Answer:
        """Answer GET and HEAD."""
        _only_get(request)
        reason = self._missing()
        told = {"status": "not ready", "reason": reason} if reason else {"status": "ok"}
        status = b"503 Service Unavailable" if reason else b"200 OK"
        return _plain(self._ticks, status, b"application/json", json.dumps(told, separators=(",", ":")).encode())


class MetricsDoor:
    """Prometheus' text format, as ``write`` gives it. Source: https://prometheus.io/docs/instrumenting/exposition_formats/."""

    def __init__(self, ticks: Ticks, write: Callable[[], str]) -> None:
        self._ticks, self._write = ticks, write

    def answer(self, request: Request) -> Answer:
        """Answer GET and HEAD."""
        _only_get(request)
        return _plain(self._ticks, b"200 OK", b"text/plain; version=0.0.4; charset=utf-8", self._write().encode())


class NowhereDoor:
    """What the operators' port answers on every other path."""

    def __init__(self, kind: Kind = kinds.NOT_FOUND) -> None:
        self._kind = kind

    def answer(self, request: Request) -> Answer:
        """Refuse."""
        raise ProblemError(self._kind)


def _only_get(request: Request) -> None:
    if request.method not in (b"GET", b"HEAD"):
        raise ProblemError(kinds.WRONG_METHOD, lines=b"Allow: GET, HEAD\r\n")
