"""Requests that come again byte for byte: most of what a proxy asks is what it asked a moment ago. They are neither parsed nor read again.

Where a read brought exactly one request, and that was admitted, its bytes are remembered by a BLAKE2b under the process's salt (nothing of the
text is kept) with what the doors and the judge made of it. When the same bytes come at the beginning of a message they mean the same; only what
may have changed is looked at (:meth:`controlplane.edge.passes.Pass.take`): whether Redis is heard, whether key and tenant still are what they
were, whether the lease has tokens. Where one of these says no, the request goes the whole way.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Collection
from hashlib import blake2b
from typing import Protocol

from controlplane.edge.asking import Passing, Said
from controlplane.edge.requests import Door, Request

MOST = 16_384
END = b"\r\n\r\n"


class RepeatingDoor(Door, Protocol):
    """A door whose answer to an admitted request hangs on nothing but its bytes, the key and the limits."""

    def passing(self, request: Request) -> Passing | None:
        """Give what admits the same request again, which was just admitted; None where each must be asked by itself."""

    def again(self, repeat: Repeat, left: int) -> bytes:
        """Answer a request that was admitted again, with so much left in its lease."""


class Repeat:
    """One such request: the door that answers it and the pass that admits it. The others are the door's, to keep what it made and for when."""

    __slots__ = ("door", "made_for", "numbers", "passing", "seconds", "text")

    def __init__(self, door: RepeatingDoor, passing: Passing) -> None:
        self.door, self.passing = door, passing
        self.made_for: Said | None = None
        self.seconds = -1
        self.text = b""
        self.numbers: tuple[int, ...] = ()


class Repeats:
    """Those of one process, ``most`` at most: beyond that the oldest are forgotten. Only of ``doors``."""

    __slots__ = ("_doors", "_is_closed", "_kept", "_most", "_salt")

    def __init__(self, doors: Collection[RepeatingDoor] = (), most: int = MOST) -> None:
        self._doors, self._most = {id(door): door for door in doors}, most
        self._salt = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, Repeat] = (
            OrderedDict()
        )  # the oldest of a plain one is found behind all that were removed before it
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._kept)

    def answer(self, data: bytes) -> bytes | None:
        """Give the answer to what came at the beginning of a message; None when it must be parsed."""
        repeat = self._kept.get(blake2b(self._salt + data).digest())
        if repeat is None:
            return None
        left = repeat.passing.take()
        return repeat.door.again(repeat, left) if left is not None else None

    def note(self, data: bytes, request: Request, door: Door | None) -> None:
        """Remember a request that this door has just answered without waiting, if it was admitted, and was all of what came."""
        repeating = self._doors.get(id(door))
        if repeating is None or self._is_closed or not (request.is_usual and is_alone(data, request)):
            return
        passing = repeating.passing(request)
        if passing is None:
            return
        place = blake2b(self._salt + data).digest()
        self._kept.pop(place, None)
        if len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        self._kept[place] = Repeat(repeating, passing)

    def close(self) -> None:
        """Answer nothing from here any more: the connections are being ended, and each answer says so."""
        self._is_closed = True
        self._kept.clear()


def is_alone(data: bytes, request: Request) -> bool:
    """Whether these bytes are this request and nothing else, not even an empty line: only then do they mean the same in the place of any message."""
    if b"transfer-encoding" in request.headers or b"expect" in request.headers or data[:1] in b"\r\n":
        return False
    return data.find(END) + len(END) + len(request.body) == len(data)
