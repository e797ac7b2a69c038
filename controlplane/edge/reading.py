"""A connection's reading half: bytes into requests, by llhttp (``httptools``), within bounds. Sources: RFC 9110, RFC 9112.

What llhttp refuses (both lengths, doubled lengths, bare line feeds, odd header names) is a 400 and the end of the connection; what it lets pass
and we do not is in ``strictness``. A request has its time from its first byte on, and no further byte prolongs it.
"""

from __future__ import annotations

import logging

import httptools

from controlplane.edge import problems as kinds
from controlplane.edge.link import Link
from controlplane.edge.problems import Kind, ProblemError
from controlplane.edge.requests import Request
from controlplane.edge.service import Service
from controlplane.edge.strictness import SINGLE, USUAL_NAMES, body_refusal, method_refusal

logger = logging.getLogger(__name__)


class Reading(Link):
    """Parses. What to do with a whole request, and with one that cannot be taken (:meth:`refuse`), is the writing half's.

    ``_is_done`` says that nothing more is taken from the client.
    """

    __slots__ = (
        *("_fed", "_fields", "_in_head", "_inside", "_is_done", "_is_large", "_most_head", "_most_headers", "_parser", "_refusal"),
        *("_request", "_serial"),
    )

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._parser = httptools.HttpRequestParser(self)
        self._most_head, self._most_headers = service.bounds.head, service.bounds.headers
        self._request = Request()
        self._fields: dict[bytes, bytes] = {}
        self._refusal: Kind | None = None
        self._inside = self._in_head = self._is_large = self._is_done = False
        self._serial = self._fed = 0

    def refuse(self, kind: Kind) -> None:
        """Answer that what came cannot be taken, and end the connection."""
        raise NotImplementedError

    def encourage(self) -> None:
        """Say that the body may come, where the answers before it have all been given: otherwise the client waits a moment and sends it."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Parse what came; whole requests are taken on the way. Never raises."""
        serial = self._serial
        # A head that came in one small piece is within its bound; only others are measured.
        self._is_large = self._inside or len(data) > self._most_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refuse(kinds.NOT_IMPLEMENTED)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError) as error:
            self._refuse_unreadable(error, data)
        if self._inside:
            self._wait_for_more(len(data), began=self._serial != serial)

    def _wait_for_more(self, received: int, *, began: bool) -> None:
        """A request is there in part: hold it to its size and its time."""
        bounds = self._bounds
        if not began:
            self._fed += received
            if self._fed > (bounds.head if self._in_head else bounds.framing):
                self.refuse(kinds.HEAD_TOO_LARGE if self._in_head else kinds.BODY_TOO_LARGE)
        elif self._in_head:
            self._fed = received if received <= bounds.head else 0  # of a large piece most belongs to requests before this one
            self.deadline = self._ticks.now + bounds.head_seconds

    def give_up(self, refusal: Kind) -> None:
        """Leave the parser; :meth:`feed` refuses."""
        self._refusal = refusal
        raise ProblemError(refusal)

    def _refuse_unreadable(self, error: Exception, data: bytes) -> None:
        if self._refusal is not None:
            self.refuse(self._refusal)
        elif isinstance(error, httptools.HttpParserInvalidMethodError):
            self.refuse(method_refusal(data))
        elif isinstance(error, httptools.HttpParserCallbackError):
            logger.error("A request broke the server's own code", exc_info=error)
            self.refuse(kinds.INTERNAL)
        else:
            self.refuse(kinds.MALFORMED)

    # --- The parser's calls, by the names that httptools looks for ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        """The first byte of a request, behind empty lines: what comes now is not at the beginning of a message any more, and has its time."""
        self._inside = self._in_head = True
        self._serial += 1
        self._fed = 0
        request = self._request = Request()
        self._fields = request.headers

    def on_url(self, url: bytes) -> None:
        """The target, or a further piece of it."""
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which is dropped (``on_headers_complete``), since it comes after the request was understood."""
        fields = self._fields
        name = USUAL_NAMES.get(name) or name.lower()
        if name in fields:
            if name in SINGLE:
                self.give_up(kinds.MALFORMED)
            value = fields[name] + b", " + value
        fields[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole. If it announces a body, see whether that may come."""
        self._in_head = False
        headers = self._fields
        if len(headers) > self._most_headers or (self._is_large and head_size(self._request) > self._most_head):
            self.give_up(kinds.HEAD_TOO_LARGE)
        if b"content-length" in headers or b"transfer-encoding" in headers or b"expect" in headers:
            self._expect_body(headers)

    def _expect_body(self, headers: dict[bytes, bytes]) -> None:
        bounds = self._bounds
        version = self._parser.get_http_version() if b"transfer-encoding" in headers else ""
        refusal = body_refusal(headers, version, bounds.body)
        if refusal is not None:
            self.give_up(refusal)
        self._fields = {}
        self._fed = 0
        self.deadline = self._ticks.now + bounds.body_seconds
        if b"expect" in headers:
            self.encourage()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        request = self._request
        request.body += body
        if len(request.body) > self._bounds.body:
            self.give_up(kinds.BODY_TOO_LARGE)


def head_size(request: Request) -> int:
    """The bytes of a head, as they came but for blanks."""
    return len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers.items())
