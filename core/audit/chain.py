"""The arithmetic of the chains: canonical text, keys, message authentication codes. Pure.

Every code is HMAC-SHA-256 (RFC 2104) over a canonical JSON array: fixed order, no spaces, ASCII only, strings quoted, so that no
field can slide into its neighbour. The first member names the purpose, so that a code made for one purpose is worth nothing for
another. Three codes an event:

* the *entry code* over what was recorded (made in the act's own transaction);
* the *tenant hash* over the entry code, its number in the tenant's chain and the tenant hash before;
* the *hash* over the entry code, its global number, the tenant's part and the hash before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

GENESIS = ""  # what stands before the first link
MINIMUM_KEY_BYTES = 32


class UnknownKeyError(ValueError):
    """An entry names a key that this ring does not hold."""


class Content(NamedTuple):
    """What was recorded: every column that the act itself wrote, with the time as text. The order of the fields is signed with them."""

    id: str
    recorded_at: str
    actor_kind: str
    actor_id: str
    actor_label: str
    action: str
    target: str
    tenant_id: str | None
    reason: str
    outcome: str
    details_json: str
    correlation_id: str
    key_id: str


class Place(NamedTuple):
    """Where a sealed event stands: in the order of writing, in its tenant's chain (empty for events of no tenant), in the global one."""

    position: int
    tenant_sequence: int | None
    tenant_previous_hash: str
    tenant_hash: str
    sequence: int
    previous_hash: str


class Keyring:
    """The key that signs, and retired ones that only verify. Keys are named by a digest, so a rotation is told from tampering."""

    def __init__(self, current: bytes, retired: Iterable[bytes] = ()) -> None:
        """Raises ValueError for a key under 32 bytes."""
        keys = (current, *retired)
        if any(len(key) < MINIMUM_KEY_BYTES for key in keys):
            raise ValueError(f"an audit key has at least {MINIMUM_KEY_BYTES} bytes")
        self.current_id = key_id(current)
        self._keys = {key_id(key): key for key in reversed(keys)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def sign(self, name: str, *parts: object) -> str:
        """The code of these parts under the key called ``name``, in hex; raises UnknownKeyError."""
        key = self._keys.get(name)
        if key is None:
            raise UnknownKeyError(name)
        return hmac.digest(key, canonical(list(parts)).encode("ascii"), "sha256").hex()


def key_id(key: bytes) -> str:
    """The public name of a key: 16 hex characters that say nothing of it."""
    return hashlib.sha256(b"controlplane-audit-key-id\x00" + key).hexdigest()[:16]


def canonical(value: object) -> str:
    """One text for one JSON value. Raises ValueError on NaN and infinities, TypeError on what is not JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def timestamp(moment: datetime) -> str:
    """A time as both databases keep it: UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def entry_code(ring: Keyring, content: Content) -> str:
    """The code over the content, under the key that the content names."""
    return ring.sign(content.key_id, "entry/1", *content)


def tenant_hash(ring: Keyring, name: str, *, tenant_id: str, sequence: int, previous: str, code: str) -> str:
    """The hash of one link of a tenant's chain."""
    return ring.sign(name, "tenant/1", tenant_id, sequence, previous, code)


def global_hash(ring: Keyring, name: str, *, place: Place, code: str) -> str:
    """The hash of one link of the global chain."""
    return ring.sign(name, "global/1", *place, code)


def anchor_code(ring: Keyring, name: str, *, sequence: int, head: str, written_at: str) -> str:
    """The code that makes an anchor ours."""
    return ring.sign(name, "anchor/1", sequence, head, written_at)


def same(left: str, right: str) -> bool:
    """Compare two codes in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())
