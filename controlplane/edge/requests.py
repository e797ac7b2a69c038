"""One request as a door sees it, and what a door is. No I/O."""

from __future__ import annotations

import re
import secrets
from collections.abc import Coroutine
from itertools import count
from typing import Any, Protocol

MOST_KEY_BYTES = 512
"""Longer texts are no keys (``tenants.keys.verification``): they are not looked up."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_ids = count(1)
_PROCESS = secrets.token_hex(8)


class Request:
    """Method, target and headers as they came, names in lower case; the body whole.

    ``keep`` says whether the connection stays open, ``old`` whether it is HTTP/1.0, ``is_usual`` whether its answer goes out as the door gave it.
    ``refused`` is set by a door to the id of a tenant that was refused by its limits.
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
        """The key that came along: ``X-Api-Key``, else ``Authorization: Bearer``; empty for none.

        The header that can only mean a key goes first, so that ``Authorization`` stays free for an application's own users.
        """
        headers = self.headers
        if b"x-api-key" in headers:
            text = headers[b"x-api-key"]
        else:
            text = headers.get(b"authorization", b"")
            text = text[7:] if text[:7] == b"Bearer " or text[:7].lower() == b"bearer " else b""
        return text if len(text) <= MOST_KEY_BYTES else b""


class Door(Protocol):
    """One door. Gives the whole answer at once, or something to await where Redis must be asked; raises ProblemError for bad input."""

    def answer(self, request: Request) -> bytes | Coroutine[Any, Any, bytes]:
        """Answer one request."""


Answer = bytes | Coroutine[Any, Any, bytes]
