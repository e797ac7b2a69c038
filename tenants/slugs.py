"""Slugs: the short names that people type. Pure.

A slug is for people and addresses only; it never reaches an AWS name (``tenants/naming.py``). It is ``[a-z0-9]`` with inner hyphens,
1 to 63 characters, so that it is a valid DNS label (RFC 1035). ``skeleton_of`` maps look-alikes to one string, after the idea of
Unicode's UTS 39, so that ``acme`` and ``acrne`` cannot both be registered by someone who means to be mistaken for the other.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from core.errors import InvalidInputError

MAX_LENGTH: Final = 63
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_GAP = re.compile(r"[\s_.\-\u2010-\u2015\u2212]+")
_LOOKS_LIKE: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("8", "b"), ("-", ""))

RESERVED: Final = frozenset(
    """
    admin administrator api app apps assets auth aws billing blog cdn cell cells cloud cognito console control controlplane cp dashboard
    default dev docs edge example ftp health help hooks host internal login logout mail manage metrics ns ns1 ns2 null oauth operator
    operators ops platform pool portal private prod production public release releases root s3 security self service shared signin signup
    sso stage staging static status support system tenant tenants test undefined webhooks www
    """.split()
)


class InvalidSlugError(InvalidInputError):
    """The slug cannot be used; ``detail`` says why."""

    code = "invalid-slug"
    title = "The short name is not valid"


def normalise_slug(text: str) -> str:
    """Turn what a person typed into a slug: NFKC, case folded, spaces and dashes to single hyphens. Raises InvalidSlugError.

    Full-width letters and capitals become plain ones; a letter from another script is refused rather than guessed at.
    """
    plain = _GAP.sub("-", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()).strip("-")
    validate_slug(plain)
    return plain


def validate_slug(slug: str) -> None:
    """Raise InvalidSlugError unless ``slug`` is exactly a usable slug; nothing is repaired."""
    if not slug or len(slug) > MAX_LENGTH:
        raise _refusal(f"A short name has 1 to {MAX_LENGTH} characters.", "length")
    if _SLUG.fullmatch(slug) is None:
        raise _refusal("A short name holds a-z, 0-9 and hyphens, and starts and ends with a letter or digit.", "characters")
    if slug[2:4] == "--":
        raise _refusal(
            "A short name may not have two hyphens at its third place: browsers read that as an encoded name.", "encoded"
        )
    if slug in RESERVED or slug.startswith("tnt-"):
        raise _refusal("This short name is reserved.", "reserved")


def skeleton_of(slug: str) -> str:
    """Map a slug to what it looks like: two slugs with one skeleton are look-alikes, and only one of them may be registered."""
    skeleton = slug
    while True:
        before = skeleton
        for shape, plain in _LOOKS_LIKE:
            skeleton = skeleton.replace(shape, plain)
        if skeleton == before:  # one mapping can make the shape of another: c1 is cl is d
            return skeleton


def _refusal(reason: str, code: str) -> InvalidSlugError:
    return InvalidSlugError.at("/slug", reason, code)
