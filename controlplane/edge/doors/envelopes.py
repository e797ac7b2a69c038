"""Unkey v2's envelopes: ``{"meta": {"requestId"}, "data": ...}`` for answers, ``{"meta", "error"}`` for problems.

Source: https://www.unkey.com/docs/api-reference/v2/overview and its OpenAPI document (``BaseError``, ``BadRequestErrorDetails``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controlplane.edge.problems import Kind, ProblemError
from controlplane.edge.requests import Request
from controlplane.edge.ticks import Ticks

BAD_INPUT = (400, b"Bad Request")
"""Unkey says 400 for everything that is wrong with a body; sizes excepted, which never reach a door."""


class Envelopes:
    """Makes whole answers. ``base`` is where the types are explained."""

    def __init__(self, base: str, ticks: Ticks) -> None:
        self._base, self._ticks = base, ticks

    def data(self, request: Request, data: Mapping[str, Any], lines: bytes = b"") -> bytes:
        """Give a 200 with ``data``."""
        return self._answer(request, 200, b"OK", {"data": data}, lines)

    def error(self, request: Request, kind: Kind, detail: str = "", lines: bytes = b"") -> bytes:
        """Give a problem."""
        return self._answer(request, kind.status, kind.reason, {"error": self._described(kind, detail)}, kind.lines + lines)

    def of(self, request: Request, problem: ProblemError) -> bytes:
        """Give what a body's reader has raised: 400 with its list of errors, whose places are written ``body.name``."""
        kind = problem.kind
        if kind.status not in (400, 415, 422):
            return self.error(request, kind, problem.detail, problem.lines)
        status, reason = BAD_INPUT
        found = problem.errors or (("", problem.detail),)
        errors = [{"location": f"body{pointer.replace('/', '.')}", "message": told} for pointer, told in found]
        described = {**self._described(kind, problem.detail), "status": status, "errors": errors}
        return self._answer(request, status, reason, {"error": described}, b"")

    def _described(self, kind: Kind, detail: str) -> dict[str, Any]:
        return {
            "title": kind.title,
            "detail": detail or f"{kind.title}.",
            "status": kind.status,
            "type": f"{self._base}#{kind.slug}",
        }

    def _answer(self, request: Request, status: int, reason: bytes, content: Mapping[str, Any], lines: bytes) -> bytes:
        body = json.dumps({"meta": {"requestId": f"req_{request.request_id}"}, **content}, separators=(",", ":")).encode()
        return b"HTTP/1.1 %d %b\r\n%b%b%bContent-Length: %d\r\n\r\n%b" % (
            *(status, reason, self._ticks.date, lines),
            b"Content-Type: application/json\r\nCache-Control: no-store\r\n",
            *(len(body), body),
        )
