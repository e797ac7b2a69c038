"""A batch of counters as bytes: compact, with a version, bounded, and refused as a whole when anything is wrong with it. Pure.

Big-endian: version (1 byte), the batch's id (16), when it was flushed in milliseconds since 1970 (8); then tenants (a count of 4, 16 bytes
each), words (a count of 1, each with its length before it), rows (a count of 4, 42 bytes each). A row names its tenant and its two words by
their places. Words have the shape of codes and of limits' names, so no text of a caller's gets into a batch.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.ids import BATCH, KEY, TENANT, bits_of, is_id, spelled

CountKey = tuple[str, str, int, str, str]
"""Tenant id, key id (empty for a question without a key), number of the version, outcome, name of the limit that refused (empty for none)."""

VERSION = 1
MOST_ROWS = 20_000
MOST_TENANTS = MOST_ROWS
MOST_WORDS = 255
MOST_BYTES = 2 * 1024 * 1024
MOST = 2**40
"""The most that one row may count: no edge comes near, and a million rows of it fit a column."""
_HEAD = struct.Struct(">B16sQ")
_ROW = struct.Struct(">I16sIBBQQ")
_COUNT = struct.Struct(">I")
_NO_KEY = bytes(16)
_OUTCOME, _LIMIT = re.compile(r"[A-Z][A-Z_]{0,31}"), re.compile(r"(?:[a-z][a-z0-9-]{0,62})?")
_LATEST_MS = 253_402_300_799_999
"""The end of the year 9999, which is where calendars end."""


class MalformedBatchError(ValueError):
    """These bytes are no batch. The text says why, and holds nothing of what was in them."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A batch that was read: its id, when it was flushed (milliseconds since 1970), and requests and cost for each of its keys, once each."""

    id: str
    at_ms: int
    rows: Sequence[tuple[CountKey, int, int]]


def pack(batch_id: str, at_ms: int, rows: Iterable[tuple[CountKey, int, int]]) -> bytes:
    """Give a batch's bytes; numbers are cut at the bounds.

    Raises ValueError for what is no id, for a word of another shape, and for more than :data:`MOST_ROWS`.
    """
    tenants: dict[str, int] = {}
    words: dict[str, int] = {}
    packed = []
    for (tenant_id, key_id, number, outcome, limit), requests, cost in rows:
        _check_words(outcome, limit)
        packed.append(
            _ROW.pack(
                tenants.setdefault(tenant_id, len(tenants)),
                _packed(key_id, KEY) if key_id else _NO_KEY,
                number,
                words.setdefault(outcome, len(words)),
                words.setdefault(limit, len(words)),
                _cut(requests),
                _cut(cost),
            )
        )
    if len(packed) > MOST_ROWS or len(words) > MOST_WORDS:
        raise ValueError(f"more than {MOST_ROWS} rows, or {MOST_WORDS} words")
    head = _HEAD.pack(VERSION, _packed(batch_id, BATCH), at_ms)
    spoken = [word.encode("ascii") for word in words]
    return b"".join(
        [
            *(head, _COUNT.pack(len(tenants)), *(_packed(tenant_id, TENANT) for tenant_id in tenants)),
            *(bytes([len(spoken)]), *(bytes([len(word)]) + word for word in spoken)),
            *(_COUNT.pack(len(packed)), *packed),
        ]
    )


def unpack(body: bytes) -> Contents:
    """Read a batch. Raises MalformedBatchError for anything that :func:`pack` could not have made."""
    if len(body) > MOST_BYTES:
        raise MalformedBatchError(f"longer than {MOST_BYTES} bytes")
    try:
        return _unpack(body)
    except (struct.error, IndexError):
        raise MalformedBatchError("it ends too early, or names a place that is not there") from None


def _unpack(body: bytes) -> Contents:
    if body[:1] != bytes([VERSION]):
        raise MalformedBatchError("of another version")
    _, packed_id, at_ms = _HEAD.unpack_from(body)
    if at_ms > _LATEST_MS:
        raise MalformedBatchError("its time is in no year")
    tenants, offset = _read_tenants(body, _HEAD.size)
    words, offset = _read_words(body, offset)
    (count,) = _COUNT.unpack_from(body, offset)
    offset += _COUNT.size
    if count > MOST_ROWS or len(body) != offset + count * _ROW.size:
        raise MalformedBatchError("its length is not what its rows need")
    rows = []
    for tenant, key, number, outcome, limit, requests, cost in _ROW.iter_unpack(body[offset:]):
        if requests > MOST or cost > MOST:
            raise MalformedBatchError("it counts more than can be")
        key_id = "" if key == _NO_KEY else _spelled(key, KEY)
        rows.append(((tenants[tenant], key_id, number, words[outcome], words[limit]), requests, cost))
    for outcome, limit in {(row[0][3], row[0][4]) for row in rows}:
        _check_words(outcome, limit)
    if len({key for key, _, _ in rows}) != len(rows):
        raise MalformedBatchError("it names a counter twice")
    return Contents(_spelled(packed_id, BATCH), at_ms, rows)


def _read_tenants(body: bytes, offset: int) -> tuple[list[str], int]:
    (count,) = _COUNT.unpack_from(body, offset)
    offset += _COUNT.size
    end = offset + count * 16
    if count > MOST_TENANTS or end > len(body):
        raise MalformedBatchError("it ends too early, or has too many tenants")
    return [_spelled(body[place : place + 16], TENANT) for place in range(offset, end, 16)], end


def _read_words(body: bytes, offset: int) -> tuple[list[str], int]:
    count, offset, words = body[offset], offset + 1, []
    for _ in range(count):
        start, offset = offset + 1, offset + 1 + body[offset]
        words.append(body[start:offset].decode("ascii", "replace"))
    return words, offset


def _check_words(outcome: str, limit: str) -> None:
    if _OUTCOME.fullmatch(outcome) is None or _LIMIT.fullmatch(limit) is None:
        raise MalformedBatchError("an outcome or a limit of another shape")


def _cut(number: int) -> int:
    return min(max(number, 0), MOST)


@lru_cache(maxsize=1 << 15)  # the same keys are busy in each second
def _packed(public_id: str, prefix: str) -> bytes:
    if not is_id(public_id, prefix):
        raise ValueError(f"not an id of {prefix}")
    return bits_of(public_id).to_bytes(16, "big")


@lru_cache(maxsize=1 << 16)
def _spelled(packed: bytes, prefix: str) -> str:
    return spelled(prefix, int.from_bytes(packed, "big"))
