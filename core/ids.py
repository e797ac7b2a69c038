"""Public ids: a prefix that names the noun, and 26 characters that sort by time.

The body follows ULID (https://github.com/ulid/spec) in lower case: 48 bits of milliseconds, then 80 bits from the system's CSPRNG,
in Crockford's base 32. Fixed length and the alphabet ``[0-9a-hjkmnp-tv-z]`` are what the isolation proofs rest on: no id is a prefix
of another, none holds a wildcard, a slash or a dot. Pure but for the clock and the random source.
"""

from __future__ import annotations

import re
import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
BODY_LENGTH = 26
_AS_BASE_32 = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_BODY = re.compile(rf"[0-7][{ALPHABET}]{{{BODY_LENGTH - 1}}}")

TENANT, OPERATION, STEP, EVENT, KEY, KEY_VERSION = "tnt", "op", "stp", "evt", "key", "kv"
REQUEST, RESOURCE, TOKEN, HOOK, RELEASE, DEPLOYMENT = "req", "res", "tok", "hook", "rel", "dep"
AUDIT = "aud"
CELL = "cell"
LEAK = "leak"
MEMBER = "mbr"
CONNECTION = "con"
OVERRIDE = "ovr"
BATCH = "bat"

_lock = threading.Lock()
_last = 0


def new_id(prefix: str, *, now_ms: int | None = None) -> str:
    """Give a fresh id such as ``tnt_01j9zc3v5m8k2q4r6t8w0y1a3b``; ids made later sort later, in one process also within a millisecond.

    Within a millisecond each number is a random step above the last, so that ids of one loop keep its order and are no easier to guess than
    one in 2**32.
    """
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    if not 0 <= milliseconds < 1 << 48:
        raise ValueError(f"time {milliseconds} ms does not fit 48 bits")
    return spelled(prefix, _next(milliseconds))


def spelled(prefix: str, number: int) -> str:
    """Give the id with this prefix and these 128 bits."""
    body = "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{body}"


def bits_of(public_id: str) -> int:
    """Give the 128 bits of an id, whatever its prefix; raises ValueError on anything that is not one."""
    return int(body_of(public_id).translate(_AS_BASE_32), 32)


def _next(milliseconds: int) -> int:
    global _last  # noqa: PLW0603  # what the process gave last is the one thing that order needs
    with _lock:
        number = milliseconds << 80 | secrets.randbits(79)
        if _last >> 80 == milliseconds:
            number = _last + 1 + secrets.randbits(32)
        _last = number
    return number


def is_id(value: object, prefix: str) -> bool:
    """Say whether ``value`` is a well-formed id with this prefix."""
    return isinstance(value, str) and value.startswith(f"{prefix}_") and _BODY.fullmatch(value[len(prefix) + 1 :]) is not None


def body_of(public_id: str) -> str:
    """Give the part after the prefix; raises ValueError on anything that is not an id."""
    prefix, separator, body = public_id.partition("_")
    if not separator or not prefix or _BODY.fullmatch(body) is None:
        raise ValueError(f"not a public id: {public_id!r}")
    return body
