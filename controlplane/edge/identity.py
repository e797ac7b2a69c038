"""Who an admitted caller is, told to upstreams in headers that they can check.

``X-Edge-Identity: v1.<number>.<issued>.<who>.<signature>``: the number of the secret, seconds since 1970, the identity as base64url of
``tenant|key|scopes`` (scopes separated by blanks), and the base64url of an HMAC-SHA-256 of everything before. It holds for ``VALID_SECONDS``. The
plain headers beside it (``X-Tenant-Id``, ``X-Key-Id``, ``X-Key-Scopes``) are for reading in logs; who must be sure reads the signed one. It is not
bound to a request: whoever sees it can use it for a minute, so it goes over connections of your own only. Sources: RFC 2104, RFC 4648 section 5.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.edge.asking import Verdict
from controlplane.edge.ticks import Ticks

VALID_SECONDS = 60
FRESH_SECONDS = 5
"""How long a signed header is given out again before it is made anew."""
SKEW_SECONDS = 5
"""How far ahead of the reader's clock a header may be issued."""
MOST_CACHED = 50_000
MOST_BYTES = 16_384
NAMES = ("X-Tenant-Id", "X-Key-Id", "X-Key-Scopes", "X-Edge-Identity")
_SHAPE = re.compile(r"(v1\.([1-9][0-9]{0,4})\.([0-9]{1,12})\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]{43})")
_WORD = re.compile(r"[!-{}~]*")
"""Visible ASCII but ``|``: what an id or a scope may be made of."""


class IdentityError(Exception):
    """The header proves nothing: malformed, signed by nobody known, too old, or from the future."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller behind an admitted request."""

    tenant_id: str
    key_id: str
    scopes: tuple[str, ...] = ()


def sign(identity: Identity, keys: Mapping[int, bytes], now: int) -> str:
    """Give the header's value under the highest-numbered secret. Raises ValueError where a part does not consist of visible ASCII without ``|``."""
    words = (identity.tenant_id, identity.key_id, *identity.scopes)
    if not all(_WORD.fullmatch(word) for word in words) or not all(identity.scopes):
        raise ValueError("an identity is made of visible ASCII without |")
    number = max(keys)
    who = f"{identity.tenant_id}|{identity.key_id}|{' '.join(identity.scopes)}"
    signed = f"v1.{number}.{now}.{_encode(who.encode('ascii'))}"
    return f"{signed}.{_signature(signed, keys[number])}"


def read(header: str, keys: Mapping[int, bytes], now: int) -> Identity:
    """Check a header's value and give who it names. ``now`` is in seconds since 1970. Raises IdentityError, which never says more than a word.

    The signature is compared in constant time, and before anything else of the content is looked at.
    """
    match = _SHAPE.fullmatch(header) if len(header) <= MOST_BYTES else None
    if match is None:
        raise IdentityError("malformed")
    signed, number, issued, who, signature = match.groups()
    key = keys.get(int(number))
    if key is None or not hmac.compare_digest(_signature(signed, key), signature):
        raise IdentityError("unsigned")
    age = now - int(issued)
    if not -SKEW_SECONDS <= age < VALID_SECONDS:
        raise IdentityError("stale")
    try:
        tenant_id, key_id, scopes = base64.urlsafe_b64decode(who + "=" * (-len(who) % 4)).decode("ascii").split("|")
    except (ValueError, binascii.Error):
        raise IdentityError("malformed") from None
    return Identity(tenant_id, key_id, tuple(scopes.split()))


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")


def _signature(signed: str, key: bytes) -> str:
    return _encode(hmac.new(key, signed.encode("ascii"), hashlib.sha256).digest())


class Badges:
    """Identity headers, kept for each key for a few seconds, so that busy keys cost one look-up."""

    __slots__ = ("_cached", "_keys", "_ticks")

    def __init__(self, keys: Mapping[int, bytes], ticks: Ticks) -> None:
        self._keys, self._ticks = dict(keys), ticks
        self._cached: dict[str, tuple[int, str, tuple[str, ...], bytes]] = {}

    def __len__(self) -> int:
        return len(self._cached)

    def lines(self, verdict: Verdict) -> bytes:
        """Give the header lines of an admitted caller, each ended by CRLF."""
        now = self._ticks.seconds
        found = self._cached.get(verdict.key_id)
        if found is not None:
            made, tenant_id, scopes, lines = found
            if 0 <= now - made < FRESH_SECONDS and scopes == verdict.scopes and tenant_id == verdict.tenant_id:
                return lines
        return self._make(verdict, now)

    def _make(self, verdict: Verdict, now: int) -> bytes:
        identity = Identity(verdict.tenant_id, verdict.key_id, verdict.scopes)
        values = (identity.tenant_id, identity.key_id, " ".join(identity.scopes), sign(identity, self._keys, now))
        lines = "".join(f"{name}: {value}\r\n" for name, value in zip(NAMES, values, strict=True)).encode("ascii")
        if len(self._cached) >= MOST_CACHED:
            self._cached.clear()
        self._cached[verdict.key_id] = (now, identity.tenant_id, identity.scopes, lines)
        return lines
