"""Request ids in and out: ``X-Request-Id`` for people, the W3C trace context for tracing systems; and one log line a request.

A caller's ``X-Request-Id`` is kept when it is harmless (8 to 128 letters, digits, ``.``, ``_``, ``-``), otherwise a fresh one is made. The
trace id of a valid ``traceparent`` (https://www.w3.org/TR/trace-context/#traceparent-header) is logged beside it; an invalid one is
ignored, as the recommendation demands.

The line carries method, path, status and time, never the query string. Probes and static files are logged at DEBUG.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from controlplane.logs import log_context

logger = logging.getLogger("controlplane.access")

HEADER = "X-Request-Id"
QUIET_PATHS = ("/livez", "/readyz", "/static/")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?")


def request_id_of(value: str | None) -> str:
    """Give the caller's id, or a fresh one when there is none or it could break a log line."""
    return value if value and _REQUEST_ID.fullmatch(value) else uuid.uuid4().hex


def trace_id_of(traceparent: str | None) -> str | None:
    """Give the trace id of a valid header. Version 00 has exactly four fields; later versions may append more."""
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if match is None or (match.string.startswith("00") and match.group("more")):
        return None
    return match.group(1)


class RequestIds:
    """Middleware that binds both ids to the logs, puts ``request.request_id`` on the request, and answers with the header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request with its id bound."""
        identity = request_id_of(request.headers.get(HEADER))
        request.request_id = identity  # type: ignore[attr-defined]  # the framework's own way to hand values on
        with log_context(request_id=identity, trace_id=trace_id_of(request.headers.get("traceparent"))):
            started = time.perf_counter()
            response = self.get_response(request)
            quiet = request.path_info.startswith(QUIET_PATHS)
            logger.log(
                logging.DEBUG if quiet else logging.INFO,
                "%s %s: %d",
                request.method,
                request.path_info,
                response.status_code,
                extra={"milliseconds": round((time.perf_counter() - started) * 1000, 1)},
            )
        response.headers[HEADER] = identity
        return response
