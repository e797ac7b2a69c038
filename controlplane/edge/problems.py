"""The edge's problem documents (RFC 9457). Kinds that the API has too bear the same names and titles; all are in ``docs/problems.md``.

There is no ``instance``: a path may hold a key, and what a caller sent is never told back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from controlplane.edge.requests import Request
from controlplane.edge.ticks import Ticks
from tenants.keys.codes import Code

FieldErrors = tuple[tuple[str, str], ...]
"""A JSON pointer into the body, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its name in ``type``, its title, its status, header lines that always go with it, and what it means at the edge.

    ``explanation`` is for ``docs/problems.md``; it may be empty where the API's says all.
    """

    slug: str
    title: str
    status: int
    reason: bytes
    lines: bytes = b""
    explanation: str = ""


MALFORMED = Kind("malformed-request", "The request cannot be read", 400, b"Bad Request")
UNAUTHENTICATED = Kind(
    "unauthenticated",
    "Valid credentials are needed",
    401,
    b"Unauthorized",
    b'WWW-Authenticate: Bearer realm="edge"\r\n',
    "No key came along, or one that is nobody's or has expired; every path that is not there answers strangers in the same way.",
)
FORBIDDEN = Kind(
    "forbidden",
    "Not allowed",
    403,
    b"Forbidden",
    b"",
    "The key is disabled, its tenant is not active, or it may not be used from this address.",
)
INSUFFICIENT = Kind(
    "insufficient-scope", "The token lacks a scope", 403, b"Forbidden", b"", "The key lacks a scope that the route needs."
)
NOT_FOUND = Kind("not-found", "Not found", 404, b"Not Found")
WRONG_METHOD = Kind("method-not-allowed", "The method is not allowed here", 405, b"Method Not Allowed")
TIMEOUT = Kind(
    "request-timeout",
    "The request came too slowly",
    408,
    b"Request Timeout",
    b"",
    "Head or body took longer than 5 seconds each. The connection ends.",
)
BODY_TOO_LARGE = Kind("body-too-large", "The body is too large", 413, b"Content Too Large")
WRONG_TYPE = Kind("unsupported-media-type", "The body has an unsupported type", 415, b"Unsupported Media Type")
EXPECTATION = Kind(
    "expectation-failed",
    "The expectation cannot be met",
    417,
    b"Expectation Failed",
    b"",
    "`Expect` may ask for `100-continue` and nothing else.",
)
INVALID = Kind("invalid-input", "The input is not valid", 422, b"Unprocessable Content")
EXCEEDED = Kind(
    "quota-exceeded",
    "A limit was reached",
    429,
    b"Too Many Requests",
    b"",
    "A rate, a quota or a limit of requests in flight, of the key, its tenant or the platform, has no room. Without `Retry-After` waiting does "
    "not help.",
)
CROWDED = Kind(
    "too-many-counters",
    "There are too many counters",
    429,
    b"Too Many Requests",
    b"",
    "`ratelimit.limit` was asked for a counter that is not there, and the tenant has as many as it may have at once (`CONTROLPLANE_EDGE_COUNTERS`). "
    "Those that are there go on; each ends when its whole limit is back. `Retry-After` is when the next one does.",
)
HEAD_TOO_LARGE = Kind(
    "head-too-large",
    "The request's head is too large",
    431,
    b"Request Header Fields Too Large",
    b"",
    "Request line and headers may take 8 KiB and be 64 headers. The connection ends.",
)
INTERNAL = Kind("internal-error", "Something went wrong on our side", 500, b"Internal Server Error")
NOT_IMPLEMENTED = Kind(
    "not-implemented",
    "The request asks for what this server does not do",
    501,
    b"Not Implemented",
    b"",
    "A method that HTTP does not know, a coding other than `chunked`, or a change of protocol. The connection ends.",
)
BUSY = Kind(
    "busy",
    "Busy; try again",
    503,
    b"Service Unavailable",
    b"Retry-After: 1\r\n",
    "It has not heard from Redis within a second and cannot say, or has as many connections as it may. Nobody is let in on a guess.",
)
WRONG_VERSION = Kind(
    "version-not-supported",
    "The HTTP version is not supported",
    505,
    b"HTTP Version Not Supported",
    b"",
    "HTTP/1.0 and 1.1 are spoken. The connection ends.",
)

REFUSALS = {
    Code.NOT_FOUND: UNAUTHENTICATED,
    Code.EXPIRED: UNAUTHENTICATED,
    Code.DISABLED: FORBIDDEN,
    Code.FORBIDDEN: FORBIDDEN,
    Code.INSUFFICIENT_PERMISSIONS: INSUFFICIENT,
    Code.RATE_LIMITED: EXCEEDED,
    Code.USAGE_EXCEEDED: EXCEEDED,
}
"""What a refusal is where a status must say it."""


class ProblemError(Exception):
    """Raised by a door: the request is refused with this kind. ``lines`` are header lines, each ended by CRLF."""

    def __init__(self, kind: Kind, detail: str = "", errors: FieldErrors = (), lines: bytes = b"") -> None:
        super().__init__(kind.slug)
        self.kind, self.detail, self.errors, self.lines = kind, detail or f"{kind.title}.", errors, lines


def document(base: str, kind: Kind, request_id: str, detail: str = "", errors: FieldErrors = ()) -> bytes:
    """Give a problem's body. ``base`` is where the types are explained, without the ``#``."""
    told: dict[str, object] = {
        "type": f"{base}#{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or f"{kind.title}.",
        "request_id": request_id,
    }
    if errors:
        told["errors"] = [{"pointer": pointer, "detail": reason} for pointer, reason in errors]
    return json.dumps(told, separators=(",", ":")).encode()


class Problems:
    """Makes whole answers, by the ``base`` of :func:`document`."""

    def __init__(self, base: str, ticks: Ticks) -> None:
        self._base, self._ticks = base, ticks

    def answer(self, kind: Kind, request: Request | None, detail: str = "", errors: FieldErrors = (), lines: bytes = b"") -> bytes:
        """Give the answer; ``lines`` go between the kind's own and the body."""
        request_id = request.request_id if request is not None else Request().request_id
        body = document(self._base, kind, request_id, detail, errors)
        return b"HTTP/1.1 %d %b\r\n%b%b%bX-Request-Id: %b\r\n%b%d\r\n\r\n%b" % (
            *(kind.status, kind.reason, self._ticks.date, kind.lines, lines, request_id.encode()),
            b"Content-Type: application/problem+json\r\nCache-Control: no-store\r\nContent-Length: ",
            *(len(body), body),
        )

    def of(self, error: ProblemError, request: Request | None) -> bytes:
        """Give the answer for what a door has raised."""
        return self.answer(error.kind, request, error.detail, error.errors, error.lines)
