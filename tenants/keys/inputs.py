"""What people ask of a key, made clean or refused with the field named. Pure but for the scopes that the settings name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.audit.secrets import SecretInDetailsError, refuse_secrets
from core.errors import FieldError, InvalidInputError
from tenants.inputs import InvalidFieldError, clean_name
from tenants.keys import cidrs, scopes, tokens
from tenants.keys.life import SHORTEST_LIFE
from tenants.keys.models import KeyEnvironment

MAX_NAME = 100
MAX_METADATA_BYTES = 4_096
MAX_METADATA_NAMES = 32
LONGEST_ROTATION_DAYS = 3_650
_KEY = re.compile(tokens.PATTERN)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a key, clean. A field that was not asked for is absent from ``given``."""

    given: Mapping[str, Any]

    def get(self, field: str, default: Any) -> Any:
        """Give a field's clean value, or ``default`` when it was not asked for."""
        return self.given.get(field, default)


def clean(now: datetime, *, known_scopes: Collection[str], **fields: Any) -> Wish:
    """Give the clean fields; raises one InvalidInputError that names every bad one.

    Takes any of ``name``, ``environment``, ``scopes``, ``cidrs``, ``metadata``, ``expires_at``, ``rotate_every_days``; a field that is
    absent stays absent, so that an edit changes only what it names.
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "name": _name,
        "environment": _environment,
        "scopes": lambda value: _scopes(value, known_scopes),
        "cidrs": _cidrs,
        "metadata": _metadata,
        "expires_at": lambda value: _expires_at(value, now),
        "rotate_every_days": _rotate_every_days,
    }
    given: dict[str, Any] = {}
    errors: list[FieldError] = []
    for field, value in fields.items():
        try:
            given[field] = readers[field](value)
        except InvalidInputError as error:
            errors += error.errors
    if errors:
        raise InvalidInputError(" ".join(error.detail for error in errors), errors=tuple(errors))
    return Wish(given)


def clean_overlap(value: timedelta | None) -> timedelta | None:
    """Give the overlap that was asked for; refuses a negative one."""
    if value is not None and value < timedelta(0):
        raise InvalidFieldError.at("/overlap_seconds", "An overlap cannot be negative.")
    return value


def _name(value: Any) -> str:
    text = clean_name(value)
    if len(text) > MAX_NAME:
        raise InvalidFieldError.at("/name", f"This has {len(text)} characters; {MAX_NAME} is the most.")
    _refuse_secret("/name", text)
    return text


def _environment(value: Any) -> str:
    if value not in KeyEnvironment.values:
        raise InvalidFieldError.at("/environment", f"A key is for {' or '.join(KeyEnvironment.values)}.")
    return str(value)


def _scopes(value: Any, known: Collection[str]) -> list[str]:
    words = _texts("/scopes", value)
    errors = tuple(
        FieldError(f"/scopes/{place}", f"There is no scope {word[:64]!r}.", "unknown-scope")
        for place, word in enumerate(words)
        if not scopes.is_scope(word) or word not in known
    )
    if errors:
        raise InvalidInputError(" ".join(error.detail for error in errors), errors=errors)
    return sorted(set(words))


def _cidrs(value: Any) -> list[str]:
    texts = _texts("/cidrs", value)
    if len(texts) > cidrs.MOST:
        raise InvalidFieldError.at("/cidrs", f"A key has at most {cidrs.MOST} address ranges.")
    found, errors = [], []
    for place, text in enumerate(texts):
        try:
            found.append(cidrs.normal_form(text[:64]))
        except ValueError as error:
            errors.append(FieldError(f"/cidrs/{place}", str(error), "invalid-cidr"))
    if errors:
        raise InvalidInputError(" ".join(error.detail for error in errors), errors=tuple(errors))
    return list(dict.fromkeys(found))


def _metadata(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MAX_METADATA_NAMES:
        raise InvalidFieldError.at("/metadata", f"Metadata is an object of at most {MAX_METADATA_NAMES} names.")
    for name, item in value.items():
        clean_name(name, pointer="/metadata")
        if isinstance(item, str):
            clean_name(item, pointer=f"/metadata/{name}", required=False)
        elif not (item is None or isinstance(item, bool | int | float)) or (isinstance(item, float) and not math.isfinite(item)):
            raise InvalidFieldError.at(f"/metadata/{name}", "A value is text, a number, true, false or null.")
    if len(json.dumps(dict(value)).encode()) > MAX_METADATA_BYTES:
        raise InvalidFieldError.at("/metadata", f"Metadata has at most {MAX_METADATA_BYTES} bytes.")
    _refuse_secret("/metadata", dict(value))
    return dict(value)


def _expires_at(value: Any, now: datetime) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidFieldError.at("/expires_at", "This is a time with its time zone, or null.")
    if value < now + SHORTEST_LIFE:
        raise InvalidFieldError.at("/expires_at", "This must be at least a minute ahead.")
    return value


def _rotate_every_days(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST_ROTATION_DAYS:
        raise InvalidFieldError.at("/rotate_every_days", f"This is a whole number of days, 1 to {LONGEST_ROTATION_DAYS}, or null.")
    return value


def _texts(pointer: str, value: Any) -> Sequence[str]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise InvalidFieldError.at(pointer, "This is a list of texts.")
    return value


def _refuse_secret(pointer: str, value: Any) -> None:
    """A name is shown, logged and audited: what looks like a secret does not belong there."""
    try:
        refuse_secrets(value)
    except SecretInDetailsError:
        raise InvalidFieldError.at(pointer, "This looks like a secret; it would be shown and logged.") from None
    if _KEY.search(json.dumps(value)):
        raise InvalidFieldError.at(pointer, "This holds a key; it would be shown and logged.")
