"""A connection's writing half: requests into answers, in their order.

The fast path is synchronous: what one read brought is parsed, judged and answered with one write. An answer that must wait for Redis leaves a
place in the line; what comes after it is answered into places behind it. A connection is not read (it *stalls*) while too many answers wait,
while a refused answer is held back, while its client does not read, and for a moment after a batch, so that the others have their turn.
Requests that were already read then wait unjudged, at most one read's worth. No request can raise out of here: a door's bug is a 500 and a
line in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any

from controlplane.edge import problems as kinds
from controlplane.edge.link import HELD, TURN, WAITING
from controlplane.edge.problems import Kind, ProblemError
from controlplane.edge.reading import Reading
from controlplane.edge.repeats import Repeats
from controlplane.edge.requests import Door, Request
from controlplane.edge.service import Service
from controlplane.edge.strictness import request_refusal

logger = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ADMITTED = b"HTTP/1.1 2"
CLOSE_LINE, KEEP_LINE = b"\r\nConnection: close\r\n", b"\r\nConnection: keep-alive\r\n"


class Place:
    """An answer's place in the line; empty until there is one."""

    __slots__ = ("answer", "is_held", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: bytes | None = None
        self.is_held = False


class Answering(Reading):
    """Answers, in order. ``_last`` is what refuses a request that could not be read, said after all that came before it."""

    __slots__ = ("_backlog", "_door", "_last", "_places", "_routes")

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._routes = service.routes
        self._places: deque[Place] = deque()
        self._backlog: deque[Request] = deque()
        self._last: bytes | None = None
        self._door: Door | None = None

    def on_message_complete(self) -> None:
        """A whole request, told by the parser: answer it now, or after what came before it."""
        self._inside = False
        request = self._request
        parser = self._parser
        headers = request.headers
        method = request.method = parser.get_method()
        keep = parser.should_keep_alive()
        # Only HTTP/1.1 stays open without a word about it, so the usual request needs no look at its version.
        if not keep or b"connection" in headers or b"host" not in headers or method == b"CONNECT":
            version = parser.get_http_version()
            refusal = request_refusal(method, headers, version)
            if refusal is not None:
                self.give_up(refusal)
            request.keep, request.old = keep, version == "1.0"
            request.is_usual = keep and not request.old and method != b"HEAD"
        elif method == b"HEAD":
            request.is_usual = False
        if self.stalls or self._backlog:
            self._backlog.append(request)
        elif not self.is_closing:
            self._answer(request)

    def _answer(self, request: Request) -> None:
        service, out = self._service, self.out
        door = self._door = self._routes.get(request.target) or service.find(request)
        try:
            answer = door.answer(request)
        except ProblemError as error:
            service.numbers.bad += 1
            answer = service.problems.of(error, request)
        except Exception:
            logger.exception("A door failed")
            answer = service.problems.answer(kinds.INTERNAL, request)
        if answer.__class__ is not bytes:
            place = self._line_up(request)
            service.begin(self._finish(place, answer))  # type: ignore[arg-type]  # what is not bytes is to be awaited
        elif request.refused or self._places:
            self._fill(self._line_up(request), answer)
        elif request.is_usual and not service.is_draining:
            out.append(answer)
        else:
            self._say(request, answer)
        if len(out) >= self._bounds.batch:
            self.stall(TURN)
            asyncio.get_running_loop().call_soon(self.unstall, TURN)

    def _line_up(self, request: Request) -> Place:
        place = Place(request)
        self._places.append(place)
        if not self._inside:  # what is half here behind it keeps its time
            self.deadline = 0.0
        if len(self._places) >= self._bounds.waiting:
            self.stall(WAITING)
        return place

    async def _finish(self, place: Place, answer: Coroutine[Any, Any, bytes]) -> None:
        service, request = self._service, place.request
        started = service.ticks.read()
        try:
            found = await answer
        except ProblemError as error:
            service.numbers.bad += 1
            found = service.problems.of(error, request)
        except Exception:
            logger.exception("A door failed")
            found = service.problems.answer(kinds.INTERNAL, request)
        service.numbers.observe(service.ticks.read() - started)
        self._fill(place, found)
        self._settle()

    def _fill(self, place: Place, answer: bytes) -> None:
        """Put an answer into its place, later where its tenant is held back."""
        refused = place.request.refused
        delay = self._service.holding.delay(refused) if refused else 0.0
        if delay:
            place.is_held = True
            self.stall(HELD)
            asyncio.get_running_loop().call_later(delay, self._release, place, answer)
            return
        place.answer = answer
        if self._places and self._places[0] is place:
            self._move_up()

    def _release(self, place: Place, answer: bytes) -> None:
        place.answer, place.is_held = answer, False
        if not any(other.is_held for other in self._places):
            self.stalls &= ~HELD
        self._settle()

    def _move_up(self) -> None:
        """Say what is answered at the head of the line."""
        places = self._places
        while places and (answer := places[0].answer) is not None and not self.is_closing:
            self._say(places.popleft().request, answer)
        if len(places) < self._bounds.waiting:
            self.stalls &= ~WAITING

    def _settle(self) -> None:
        """Write what has become answerable and go on with what waited."""
        self._move_up()
        while self._backlog and not self.stalls and not self.is_closing:
            self._answer(self._backlog.popleft())
        self.flush()
        transport = self.transport
        if transport is None or self.is_closing:
            return
        if not self._places and not self._backlog:
            if self._last is not None:
                self._say_last()
            elif self._is_done or (self._service.is_draining and not self._inside):
                self.close()
            elif not self.stalls and not self._inside:
                self.deadline = self._service.idle_at
        if not self.stalls and not self._is_done and not transport.is_closing():
            transport.resume_reading()

    def _say(self, request: Request, answer: bytes) -> None:
        if request.method == b"HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        if not request.keep or (self._service.is_draining and not (self._places or self._backlog)):
            answer = answer.replace(b"\r\n", CLOSE_LINE, 1)
            self.is_closing = True
            asyncio.get_running_loop().call_soon(self.linger)
        elif request.old:
            answer = answer.replace(b"\r\n", KEEP_LINE, 1)
        self.out.append(answer)

    def take(self, data: bytes, repeats: Repeats | None = None) -> None:
        """Parse what came and write what is answered at once. With ``repeats`` the request is noted there, if it is all that came and is admitted."""
        serial = self._serial
        self.feed(data)
        out = self.out
        if out:
            if repeats is not None and self._serial == serial + 1 and len(out) == 1 and out[0].startswith(ADMITTED):
                repeats.note(data, self._request, self._door)
            self.flush()
        if not (self._inside or self.stalls or self._places or self.is_closing):
            self.deadline = self._service.idle_at

    def encourage(self) -> None:
        """See :meth:`Reading.encourage`."""
        if not (self._places or self._backlog):
            self.out.append(CONTINUE)
            self.flush()

    def refuse(self, kind: Kind) -> None:
        """See :meth:`Reading.refuse`. Answers that are under way are given first."""
        if self.is_closing or self._is_done:
            return  # it came behind a request that was to be the last
        self._service.numbers.bad += 1
        self._inside = False
        self._is_done = True
        self._last = self._service.problems.answer(kind, None)
        if not (self._places or self._backlog):
            self._say_last()

    def _say_last(self) -> None:
        last, self._last = self._last, None
        request = Request()
        request.keep = False
        self._say(request, last or b"")
        self.flush()

    def unstall(self, why: int) -> None:
        """One reason less to stall; where none is left, go on."""
        self.stalls &= ~why
        self._settle()
