"""An operation's progress as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The database is read once a second and an event is sent when something changed. A stream ends with the operation, or after a minute:
it holds a worker thread of the web server, so at most four are open in a process at a time, and the next caller is told to come back.
A revoked token keeps a stream that is open for what is left of its minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from controlplane.api.answers import etag_of, json_text
from controlplane.api.errors import BusyError
from controlplane.api.serializers.operations import OperationShape
from core.errors import NotFoundError
from provisioning import selectors
from provisioning.models import Operation

MEDIA_TYPE = "text/event-stream"
LASTS_SECONDS = 60.0
LOOKS_EVERY_SECONDS = 1.0
SIGN_OF_LIFE_SECONDS = 15.0
"""A comment this often keeps proxies from closing a silent connection."""
MOST_OPEN = 4
_open = threading.BoundedSemaphore(MOST_OPEN)


def follow(operation: Operation, *, last_seen: str = "") -> HttpResponseBase:
    """Answer with the stream, or 204 when the caller has seen the final state (which makes a browser's EventSource stop asking).

    Raises BusyError when as many streams are open as may be.
    """
    if not operation.is_active and version_of(operation) == last_seen:
        return HttpResponse(status=204)
    if not _open.acquire(blocking=False):
        raise BusyError("As many progress streams are open as this server allows. Poll the operation, or come back.")
    response = StreamingHttpResponse(Stream(operation, last_seen=last_seen, on_close=_open.release), content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


def version_of(operation: Operation) -> str:
    """Give an operation's entity tag without its quotes: the id of the event that shows it."""
    return etag_of(OperationShape(operation).data).strip('"')


class Stream:
    """The events as bytes. Closing it, which the server does however the request ends, gives the place free, once."""

    def __init__(
        self,
        operation: Operation,
        *,
        last_seen: str,
        on_close: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._events = _events(operation, last_seen, clock, wait)
        self._on_close: Callable[[], None] | None = on_close

    def __iter__(self) -> Iterator[bytes]:
        """Give itself."""
        return self

    def __next__(self) -> bytes:
        """Wait for the next event."""
        return next(self._events)

    def close(self) -> None:
        """End it."""
        release, self._on_close = self._on_close, None
        if release is not None:
            self._events.close()
            release()


def _events(
    operation: Operation, seen: str, clock: Callable[[], float], wait: Callable[[float], None]
) -> Generator[bytes, None, None]:
    ends_at = clock() + LASTS_SECONDS
    sent_at = clock()
    yield b"retry: 1000\n\n"
    while True:
        data = OperationShape(operation).data
        version = etag_of(data).strip('"')
        if version != seen:
            yield _event("operation", version, json_text(data))
            seen, sent_at = version, clock()
        if not operation.is_active:
            yield _event("end", version, json_text({"state": operation.state}))
            return
        if clock() + LOOKS_EVERY_SECONDS > ends_at:
            return
        if clock() - sent_at >= SIGN_OF_LIFE_SECONDS:
            yield b": still there\n\n"
            sent_at = clock()
        wait(LOOKS_EVERY_SECONDS)
        try:
            operation = selectors.get_operation(operation.pk)
        except NotFoundError:
            return


def _event(name: str, identity: str, data: str) -> bytes:
    return f"event: {name}\nid: {identity}\ndata: {data}\n\n".encode()
