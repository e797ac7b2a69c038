"""What an edge needs to know of keys and tenants, as bytes: names and records of the projection in Redis. Pure.

The projection is a copy that can be thrown away: the database is the truth. A record is found by the first half of a key's digest, and holds
the second half, to be compared in constant time; a digest is an HMAC, so whoever reads Redis learns no key. There is nothing personal in it:
no names, no addresses of people, no texts but scopes' words.

All names carry the *epoch* in which they were written, so that a new projection is built beside the old one and swapped in as a whole. All records
begin with a *stamp*, a number that a writer draws before it reads the database: a record is only ever replaced by one with no lower stamp, so a
writer that overslept cannot undo what a later one has found. Each record says all there is to say; none is ever edited.

Times are whole seconds since 1970, cut off, so a version ends up to a second early at an edge and never late.
"""

from __future__ import annotations

import enum
import hashlib
import ipaddress
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.ids import bits_of, spelled
from tenants.facts import FailPolicy
from tenants.limits.effective import KeyLimits, Limits

PREFIX = b"edge"
WEIGHTS = "edge:weights"
"""Holds the name of the sum of all served tenants' weights in the epoch that holds. Whoever replaces a record adjusts the sum."""
EPOCH_BYTES, STAMP_BYTES, HALF = 4, 5, 16
NO_SCOPES = bytes(8)
_KEY = struct.Struct(">5sB16s16s16sIH8s")
_TENANT = struct.Struct(">5sBBIIQHBQI")
STANDING_AT, WEIGHT_AT = 5, 23
"""Where in a tenant's record its standing and its weight are, for those who read no more of it than that."""
_KEY_LIMITS = ("rate_per_second", "burst", "quota_per_day", "quota_per_month", "concurrency")
_MOST_SECONDS = 2**32 - 1


class Standing(enum.IntEnum):
    """Whether what a record is of may be used."""

    GONE = 0
    SERVED = 1
    HALTED = 2
    """A disabled key; a tenant that is not active."""


class Kind(bytes, enum.Enum):
    """What a name is of."""

    KEY = b"k"
    TENANT = b"t"
    SCOPES = b"s"
    WEIGHTS = b"w"
    """The sum of all served tenants' weights, a number in decimal; one in each epoch, without a stamp."""


SIZES = {Kind.KEY: HALF, Kind.TENANT: 16, Kind.SCOPES: len(NO_SCOPES), Kind.WEIGHTS: 0}
"""How many bytes of a name say what it is of."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One version of a key. ``ends_at`` is the first second in which it no longer verifies."""

    digest: bytes
    tenant_id: str
    key_id: str
    number: int
    standing: Standing
    ends_at: int
    scopes: tuple[str, ...] = ()
    cidrs: tuple[str, ...] = ()
    limits: KeyLimits | None = None


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """One tenant: whether it is served, and what it may ask for."""

    standing: Standing
    limits: Limits


def name_of(epoch: bytes, kind: Kind, what: bytes) -> bytes:
    """Give the name of a record: ``what`` is half a digest, a packed id, or the id of a set of scopes."""
    return b"%b%b%b%b" % (PREFIX, epoch, kind.value, what)


def epoch_in(pointer: bytes | None, run_id: str) -> bytes | None:
    """Give the epoch that a pointer names: None without one, for one that another Redis process was given, and for one that means nothing."""
    try:
        told = json.loads(pointer or b"")
        epoch, built_in = bytes.fromhex(told["epoch"]), told["run_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return epoch if built_in == run_id and len(epoch) == EPOCH_BYTES else None


def stamped(stamp: int) -> bytes:
    """Give a stamp as the bytes that a record begins with. Raises OverflowError above 2**40."""
    return stamp.to_bytes(STAMP_BYTES, "big")


def gone(stamp: int) -> bytes:
    """Give the record of what is no more; it is kept for as long as a writer may oversleep."""
    return stamped(stamp) + bytes([Standing.GONE])


def pack_key(record: KeyRecord, stamp: int) -> bytes:
    """Give a version's record."""
    head = _KEY.pack(
        stamped(stamp),
        record.standing,
        record.digest[HALF:],
        pack_id(record.tenant_id),
        pack_id(record.key_id),
        min(record.ends_at, _MOST_SECONDS),
        min(record.number, 2**16 - 1),
        scopes_id(record.scopes),
    )
    return head + _pack_cidrs(record.cidrs) + _pack_limits(record.limits)


def unpack_key(record: bytes, digest: bytes) -> KeyRecord | None:
    """Read a version's record that was found by this digest's first half, without the words of its scopes; None for one that is gone.

    The caller compares ``digest`` of the answer with its own in constant time. Raises struct.error or ValueError on rubbish.
    """
    if len(record) == STAMP_BYTES + 1:
        return None
    _, standing, rest, tenant, key, ends_at, number, _ = _KEY.unpack_from(record)
    cidrs, offset = _unpack_cidrs(record, _KEY.size)
    return KeyRecord(
        digest=digest[:HALF] + rest,
        tenant_id=unpack_id("tnt", tenant),
        key_id=unpack_id("key", key),
        number=number,
        standing=Standing(standing),
        ends_at=ends_at,
        cidrs=cidrs,
        limits=_unpack_limits(record, offset),
    )


def scopes_in(record: bytes) -> bytes:
    """Give the id of the set of scopes in a version's record."""
    return record[_KEY.size - len(NO_SCOPES) : _KEY.size]


@lru_cache(maxsize=4_096)  # many keys share few sets
def scopes_id(scopes: tuple[str, ...]) -> bytes:
    """Give the id of a set of scopes: the same for the same words in any order, zeros for none."""
    return hashlib.sha256(pack_scopes(scopes)).digest()[: len(NO_SCOPES)] if scopes else NO_SCOPES


def pack_scopes(scopes: Sequence[str]) -> bytes:
    """Give the words of a set of scopes; many keys share one."""
    return " ".join(sorted(set(scopes))).encode("ascii")


def unpack_scopes(record: bytes) -> tuple[str, ...]:
    """Read the words of a set of scopes."""
    return tuple(record.decode("ascii").split())


def pack_tenant(record: TenantRecord, stamp: int) -> bytes:
    """Give a tenant's record."""
    limits = record.limits
    given = (limits.quota_per_month is not None) | (limits.concurrency is not None) << 1
    return _TENANT.pack(
        stamped(stamp),
        record.standing,
        limits.fail_policy is FailPolicy.OPEN,
        limits.rate_per_second,
        limits.burst,
        limits.quota_per_day,
        limits.weight,
        given,
        limits.quota_per_month or 0,
        limits.concurrency or 0,
    )


def unpack_tenant(record: bytes) -> TenantRecord | None:
    """Read a tenant's record; None for one that is gone."""
    if len(record) == STAMP_BYTES + 1:
        return None
    _, standing, is_open, rate, burst, day, weight, given, month, slots = _TENANT.unpack(record)
    policy = FailPolicy.OPEN if is_open else FailPolicy.CLOSED
    limits = Limits(rate, burst, day, month if given & 1 else None, slots if given & 2 else None, weight, policy)
    return TenantRecord(Standing(standing), limits)


def pack_id(public_id: str) -> bytes:
    """Give the 128 bits of a public id. Raises ValueError on anything else."""
    return bits_of(public_id).to_bytes(16, "big")


def unpack_id(prefix: str, packed: bytes) -> str:
    """Give the public id back."""
    return spelled(prefix, int.from_bytes(packed, "big"))


def _pack_cidrs(cidrs: Sequence[str]) -> bytes:
    """How many, then each as its length in bits (IPv6: plus 64, so from 64 to 192) and its address."""
    packed = [len(cidrs).to_bytes(1, "big")]
    for text in cidrs:
        network = ipaddress.ip_network(text)
        size = network.prefixlen + (64 if network.version == 6 else 0)
        packed.append(size.to_bytes(1, "big") + network.network_address.packed)
    return b"".join(packed)


def _unpack_cidrs(record: bytes, offset: int) -> tuple[tuple[str, ...], int]:
    count, offset, found = record[offset], offset + 1, []
    for _ in range(count):
        size, offset = record[offset], offset + 1
        width, bits = (4, size) if size <= 32 else (16, size - 64)
        found.append(str(ipaddress.ip_network((record[offset : offset + width], bits))))
        offset += width
    return tuple(found), offset


def _pack_limits(limits: KeyLimits | None) -> bytes:
    """Nothing for none; else which of the five are given, and those."""
    if limits is None:
        return b""
    values = [getattr(limits, name) for name in _KEY_LIMITS]
    given = sum(1 << place for place, value in enumerate(values) if value is not None)
    return bytes([given]) + b"".join(value.to_bytes(8, "big") for value in values if value is not None)


def _unpack_limits(record: bytes, offset: int) -> KeyLimits | None:
    if offset >= len(record):
        return None
    given, values, offset = record[offset], {}, offset + 1
    for place, name in enumerate(_KEY_LIMITS):
        if given >> place & 1:
            values[name] = int.from_bytes(record[offset : offset + 8], "big")
            offset += 8
    return KeyLimits(**values)
