"""A connection's reading half: bytes into requests, by llhttp (``httptools``), within bounds. Sources: RFC 9110, RFC 9112.

What llhttp refuses (both lengths, doubled lengths, bare line feeds, odd header names) is a 400 and the end of the connection; what it lets pass
and we do not is in ``strictness``. A request has its time from its first byte on, and no further byte prolongs it.
"""

from __future__ import annotations

import asyncio
import logging

import httptools

from controlplane.edge import problems as kinds
from controlplane.edge.problems import Kind, ProblemError
from controlplane.edge.requests import Request
from controlplane.edge.service import Service
from controlplane.edge.strictness import SINGLE, body_refusal, request_refusal

logger = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Reading(asyncio.Protocol):
    """Parses; what to do with a whole request (:meth:`take`) and with one that cannot be taken (:meth:`refuse`) is the writing half's.

    ``deadline`` is when the client is given up, in the service's ticks; 0 while the next move is ours.
    """

    __slots__ = (
        *("_fed", "_head", "_headers", "_in_head", "_inside", "_most", "_out", "_parser", "_refusal", "_request", "_serial"),
        *("_service", "_size", "_transport", "deadline", "is_closing"),
    )

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._head, self._headers, self._most = service.bounds.head, service.bounds.headers, service.bounds.body
        self._request = Request()
        self._refusal: Kind | None = None
        self._out: list[bytes] = []
        self._inside = self._in_head = self.is_closing = False
        self._serial = self._fed = self._size = 0
        self.deadline = 0.0

    def take(self, request: Request) -> None:
        """Answer a whole request, or put it where others wait."""
        raise NotImplementedError

    def refuse(self, kind: Kind) -> None:
        """Answer that what came cannot be taken, and end the connection."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Parse what came; whole requests are taken on the way. Never raises."""
        serial = self._serial
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refuse(kinds.NOT_IMPLEMENTED)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError) as error:
            self._refuse_unreadable(error)
        if self._inside:
            self._wait_for_more(len(data), began=self._serial != serial)

    def _wait_for_more(self, received: int, *, began: bool) -> None:
        """A request is there in part: hold it to its size and its time."""
        if not began:
            self._fed += received
            if self._fed > (self._head if self._in_head else self._service.bounds.framing):
                self.refuse(kinds.HEAD_TOO_LARGE if self._in_head else kinds.BODY_TOO_LARGE)
        elif self._in_head:
            self.deadline = self._service.ticks.now + self._service.bounds.head_seconds

    def _give_up(self, refusal: Kind) -> None:
        """Leave the parser; :meth:`feed` refuses."""
        self._refusal = refusal
        raise ProblemError(refusal)

    def _refuse_unreadable(self, error: Exception) -> None:
        if self._refusal is not None:
            self.refuse(self._refusal)
        elif isinstance(error, httptools.HttpParserInvalidMethodError):
            self.refuse(kinds.NOT_IMPLEMENTED)
        elif isinstance(error, httptools.HttpParserCallbackError):
            logger.error("A request broke the server's own code", exc_info=error)
            self.refuse(kinds.INTERNAL)
        else:
            self.refuse(kinds.MALFORMED)

    # --- The parser's calls, by the names that httptools looks for ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._inside = self._in_head = True
        self._serial += 1
        self._fed = self._size = 0
        self._request = Request()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._request.target += url
        self._size += len(url)
        if self._size > self._head:
            self._give_up(kinds.HEAD_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which counts and is dropped, since it comes after the request was understood."""
        size = self._size = self._size + len(name) + len(value) + 4
        headers = self._request.headers
        if size > self._head or len(headers) >= self._headers:
            self._give_up(kinds.HEAD_TOO_LARGE)
        if self._in_head:
            name = name.lower()
            if name in headers:
                if name in SINGLE:
                    self._give_up(kinds.MALFORMED)
                value = headers[name] + b", " + value
            headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole. If it announces a body, see whether that may come."""
        self._in_head = False
        headers = self._request.headers
        if b"content-length" in headers or b"transfer-encoding" in headers or b"expect" in headers:
            self._expect_body(headers)

    def _expect_body(self, headers: dict[bytes, bytes]) -> None:
        refusal = body_refusal(headers, self._parser.get_http_version(), self._most)
        if refusal is not None:
            self._give_up(refusal)
        self._fed = 0
        self.deadline = self._service.ticks.now + self._service.bounds.body_seconds
        if b"expect" in headers:
            self.encourage()

    def encourage(self) -> None:
        """Say that the body may come, where the answers before it have all been given: otherwise the client waits a moment and sends it."""
        raise NotImplementedError

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        request = self._request
        request.body += body
        if len(request.body) > self._most:
            self._give_up(kinds.BODY_TOO_LARGE)

    def on_message_complete(self) -> None:
        """A whole request."""
        self._inside = False
        if self.is_closing:
            return
        parser, request = self._parser, self._request
        headers = request.headers
        method = request.method = parser.get_method()
        keep = parser.should_keep_alive()
        # Only HTTP/1.1 stays open without a word about it, so the usual request needs no look at its version.
        if not keep or b"connection" in headers or b"host" not in headers or method == b"CONNECT":
            version = parser.get_http_version()
            refusal = request_refusal(method, headers, version)
            if refusal is not None:
                self._give_up(refusal)
            request.keep, request.old = keep, version == "1.0"
        self.take(request)
