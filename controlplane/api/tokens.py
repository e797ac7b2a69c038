"""Operator tokens as text: made, taken apart and digested. Pure.

A token reads ``cpo_<environment>_<public id>_<secret><checksum>``. The public id finds the row, the secret carries 196 bits from the
system's CSPRNG, and the last six characters are a base62 CRC32 of everything before them, so that a typo or a truncated paste is
dropped without any look-up, and a scanner can tell a token from a look-alike (the way GitHub's tokens do it). The checksum protects
against accidents only; the digest is what a token is held to.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

BRAND = "cpo"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC_LENGTH = 16
SECRET_LENGTH = 33
"""33 characters of 62 are 196 bits; the floor is 192 (``docs/architecture.md``)."""
CHECKSUM_LENGTH = 6
_TOKEN = re.compile(
    rf"{BRAND}_(?P<environment>[a-z]{{2,12}})_(?P<public_id>[0-9A-Za-z]{{{PUBLIC_LENGTH}}})"
    rf"_[0-9A-Za-z]{{{SECRET_LENGTH}}}(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)
_ENVIRONMENT = re.compile(r"[a-z]{2,12}")


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed token. ``text`` is the secret: it is never stored, logged or shown twice, and not part of the repr."""

    environment: str
    public_id: str
    text: str = field(repr=False)

    @property
    def last_four(self) -> str:
        """The end of the text, for people who compare it with what they have stored."""
        return self.text[-4:]


def new_token(environment: str) -> Token:
    """Make a fresh token. Raises ValueError on an environment that is not 2 to 12 letters of a-z."""
    if _ENVIRONMENT.fullmatch(environment) is None:
        raise ValueError(f"not an environment: {environment!r}")
    public_id = _random(PUBLIC_LENGTH)
    body = f"{BRAND}_{environment}_{public_id}_{_random(SECRET_LENGTH)}"
    return Token(environment, public_id, body + checksum_of(body))


def parse_token(text: str) -> Token | None:
    """Take a presented token apart; None for whatever is not a token or has a wrong checksum. Costs no look-up."""
    match = _TOKEN.fullmatch(text)
    if match is None or match["checksum"] != checksum_of(text[:-CHECKSUM_LENGTH]):
        return None
    return Token(match["environment"], match["public_id"], text)


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
    return hmac.new(pepper, text.encode("ascii"), hashlib.sha256).hexdigest()


def matches(text: str, pepper: bytes, digest: str) -> bool:
    """Say whether the token belongs to the stored digest, in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest_of(text, pepper), digest)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
