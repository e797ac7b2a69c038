"""Keys and tokens as text: made, taken apart and digested. Pure.

One shape for all that we give out: ``<brand>_<environment>_<public id>_<secret><checksum>``. The public id finds the row, the secret
carries 196 bits from the system's CSPRNG, and the last six characters are a base62 CRC32 of everything before them, so that a typo or a
truncated paste is dropped without any look-up, and a scanner can tell a key from a look-alike (the way GitHub's tokens do it). The
checksum protects against accidents only; the digest is what a key is held to.

``PATTERN`` is what secret scanners look for.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC_LENGTH = 16
SECRET_LENGTH = 33
"""33 characters of 62 are 196 bits; the floor is 192 (``docs/keys.md``)."""
CHECKSUM_LENGTH = 6
SHORTEST_FOREIGN, LONGEST_FOREIGN = 8, 512
"""How long a key from elsewhere may be."""
BRAND_SHAPE = r"[a-z][a-z0-9]{1,15}"
ENVIRONMENT_SHAPE = r"[a-z]{2,12}"
PATTERN = rf"{BRAND_SHAPE}_{ENVIRONMENT_SHAPE}_[0-9A-Za-z]{{{PUBLIC_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}"
_TOKEN = re.compile(
    rf"(?P<brand>{BRAND_SHAPE})_(?P<environment>{ENVIRONMENT_SHAPE})_(?P<public_id>[0-9A-Za-z]{{{PUBLIC_LENGTH}}})"
    rf"_[0-9A-Za-z]{{{SECRET_LENGTH}}}(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)
_BRAND, _ENVIRONMENT, _PUBLIC = (
    re.compile(BRAND_SHAPE),
    re.compile(ENVIRONMENT_SHAPE),
    re.compile(rf"[0-9A-Za-z]{{{PUBLIC_LENGTH}}}"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed key or token. ``text`` is the secret: it is never stored, logged or shown twice, and not part of the repr."""

    brand: str
    environment: str
    public_id: str
    text: str = field(repr=False)

    @property
    def last_four(self) -> str:
        """The end of the text, for people who compare it with what they have stored."""
        return self.text[-4:]


def new_public_id() -> str:
    """Give a fresh public id: 16 base62 characters."""
    return _random(PUBLIC_LENGTH)


def new_token(brand: str, environment: str, *, public_id: str = "") -> Token:
    """Make a fresh token, under a public id of its own or, for the next version of a key, under the key's.

    Raises ValueError on a brand (2 to 16 of a-z, 0-9), environment (2 to 12 of a-z) or public id that does not fit the shape.
    """
    public_id = public_id or new_public_id()
    if not (_BRAND.fullmatch(brand) and _ENVIRONMENT.fullmatch(environment) and _PUBLIC.fullmatch(public_id)):
        raise ValueError(f"not a brand, an environment and a public id: {brand!r}, {environment!r}, {public_id!r}")
    body = f"{prefix_of(brand, environment, public_id)}{_random(SECRET_LENGTH)}"
    return Token(brand, environment, public_id, body + checksum_of(body))


def prefix_of(brand: str, environment: str, public_id: str) -> str:
    """Give the visible start of a key, the same for all its versions; it ends in ``_``."""
    return f"{brand}_{environment}_{public_id}_"


def parse_token(text: str) -> Token | None:
    """Take a presented token apart; None for whatever is not a token or has a wrong checksum. Costs no look-up."""
    match = _TOKEN.fullmatch(text)
    if match is None or match["checksum"] != checksum_of(text[:-CHECKSUM_LENGTH]):
        return None
    return Token(match["brand"], match["environment"], match["public_id"], text)


def looks_like_ours(text: str) -> bool:
    """Say whether a text has the shape of our keys, right checksum or not."""
    return _TOKEN.fullmatch(text) is not None


def foreign_hash(text: str) -> str:
    """The SHA-256 under which a key from elsewhere would have been imported; empty for a text that cannot be one, as it is ours or too short."""
    if not SHORTEST_FOREIGN <= len(text) <= LONGEST_FOREIGN or looks_like_ours(text):
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def checksum_of(body: str) -> str:
    """Give the CRC32 of ``body`` (ASCII) as six base62 digits, most significant first."""
    number = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def digest_of(text: str, pepper: bytes) -> str:
    """Give the hex HMAC-SHA-256 of a token under a pepper: 64 characters, the only form that is stored."""
    return hmac.new(pepper, text.encode("utf-8"), hashlib.sha256).hexdigest()


def matches(text: str, pepper: bytes, digest: str) -> bool:
    """Say whether the token belongs to the stored digest, in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest_of(text, pepper), digest)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
