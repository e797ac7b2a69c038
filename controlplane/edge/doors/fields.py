"""A JSON body into checked fields. What was sent is never repeated: it may hold a key."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from controlplane.edge import problems as kinds
from controlplane.edge.presented import MOST_KEY_BYTES
from controlplane.edge.problems import ProblemError
from controlplane.edge.requests import Request
from tenants.keys.scopes import is_scope

MOST_COST, MOST_SCOPES = 1_000_000, 64
JSON_TYPE = b"application/json"
_CLASS = re.compile(r"[a-z][a-z0-9-]{0,30}")
_LEASE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


_decode = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_once).decode


def read_object(request: Request) -> dict[str, Any]:
    """Give the body's object. Raises ProblemError: 415 for another type than JSON, 400 for what is no JSON object in UTF-8."""
    given = request.headers.get(b"content-type", b"")
    if given != JSON_TYPE and given.partition(b";")[0].strip().lower() != JSON_TYPE:
        raise ProblemError(kinds.WRONG_TYPE, "Send application/json in UTF-8.")
    try:
        found = _decode(request.body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ProblemError(kinds.MALFORMED, "The body is not JSON in UTF-8, or a name stands twice in it.") from None
    if found.__class__ is not dict:
        raise ProblemError(kinds.MALFORMED, "The body is not a JSON object.")
    return found


def wrong(pointer: str, reason: str) -> ProblemError:
    """Give the error about one field."""
    return ProblemError(kinds.INVALID, "Some fields are not valid.", ((pointer, reason),))


def check_names(found: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse a field that means nothing here: a misspelt one would be a limit that does not hold."""
    if not known.issuperset(found):
        raise wrong("", f"A field is unknown; there are {', '.join(sorted(known))}.")


def read_key(found: Mapping[str, Any]) -> bytes:
    """Give ``key``: 1 to 512 bytes of text."""
    text = found.get("key")
    if text.__class__ is str and 0 < len(text) <= MOST_KEY_BYTES:
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) <= MOST_KEY_BYTES:
            return encoded
    raise wrong("/key", f"Needed: a text of 1 to {MOST_KEY_BYTES} bytes.")


def read_cost(found: Mapping[str, Any], name: str = "cost") -> int:
    """Give a cost, 1 where there is none."""
    return read_whole(found, name, 0, MOST_COST, default=1)


def read_whole(found: Mapping[str, Any], name: str, least: int, most: int, *, default: int | None = None) -> int:
    """Give a whole number between ``least`` and ``most``; without a default it is needed."""
    value = found.get(name, default)
    if value.__class__ is not int or not least <= value <= most:
        raise wrong(f"/{name}", f"A whole number from {least} to {most}.")
    return value


def read_text(found: Mapping[str, Any], name: str, fits: Callable[[str], bool], shape: str) -> str:
    """Give a text that ``fits``, empty where the field is not there."""
    value = found.get(name)
    if value is None:
        return ""
    if value.__class__ is not str or not fits(value):
        raise wrong(f"/{name}", shape)
    return value


def read_scopes(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Give ``scopes``, none where there are none."""
    value = found.get("scopes")
    if value is None:
        return ()
    if (
        value.__class__ is not list
        or len(value) > MOST_SCOPES
        or not all(word.__class__ is str and is_scope(word) for word in value)
    ):
        raise wrong("/scopes", f"A list of at most {MOST_SCOPES} scopes, each written like noun:verb.")
    return tuple(value)


def is_class(word: str) -> bool:
    """Whether a word can be a class of routes."""
    return _CLASS.fullmatch(word) is not None


def is_lease(word: str) -> bool:
    """Whether a word can be the id of a request in flight."""
    return _LEASE.fullmatch(word) is not None


@lru_cache(maxsize=16_384)
def is_address(text: str) -> bool:
    """Whether a text is an IP address. Kept, since proxies name the same callers again and again."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
