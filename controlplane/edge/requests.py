"""One request as a door sees it, and what a door is. No I/O."""

from __future__ import annotations

import re
import secrets
from collections.abc import Coroutine
from itertools import count
from typing import Any, Protocol

from controlplane.edge.presented import key_in

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_ids = count(1)
_PROCESS = secrets.token_hex(8)


class Request:
    """Method, target and headers as they came, names in lower case; the body whole.

    ``keep`` says whether the connection stays open, ``old`` whether it is HTTP/1.0, ``is_usual`` whether its answer goes out as the door gave it.
    ``refused`` is set by a door to who is to be held back: a tenant that was refused by its limits, or the address of one without a key that is any.
    """

    # Defaults of the class, so that making one, for each request, sets no more than what differs.
    body = b""
    keep = True
    old = False
    is_usual = True
    refused = ""
    method = b""

    def __init__(self, target: bytes = b"") -> None:
        self.target = target
        self.headers: dict[bytes, bytes] = {}

    @property
    def query(self) -> bytes:
        """What stands after the question mark."""
        return self.target.partition(b"?")[2]

    @property
    def request_id(self) -> str:
        """The caller's ``X-Request-Id`` where it is harmless, otherwise a fresh one, unique among all processes."""
        given = self.headers.get(b"x-request-id", b"")
        return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else f"{_PROCESS}{next(_ids):08x}"

    def key(self) -> bytes:
        """The key that came along (:func:`~controlplane.edge.presented.key_in`); empty for none."""
        headers = self.headers
        return key_in(headers.get(b"x-api-key"), headers.get(b"authorization", b""))


class Door(Protocol):
    """One door. Gives the whole answer at once, or something to await where Redis must be asked; raises ProblemError for bad input."""

    def answer(self, request: Request) -> bytes | Coroutine[Any, Any, bytes]:
        """Answer one request."""


Answer = bytes | Coroutine[Any, Any, bytes]
