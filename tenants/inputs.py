"""What people type, made clean or refused with the field named. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from email_validator import EmailNotValidError, validate_email

from core.errors import DomainError, FieldError, InvalidInputError
from tenants.keys import tokens
from tenants.slugs import normalise_slug

MAX_NAME = 200
MAX_REASON = 500
_KEY = re.compile(tokens.PATTERN)
_TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of the text around it, so that a line of a page, a mail or the log reads as another one."""


class InvalidFieldError(InvalidInputError):
    """One field cannot be used; ``detail`` says why."""


def clean_name(value: str, *, pointer: str = "/name", required: bool = True) -> str:
    """Give the name in NFC without blanks around it; refuses control characters, more than 200 characters, and none at all."""
    return _text(value, pointer, limit=MAX_NAME, required=required)


def clean_reason(value: str) -> str:
    """Give the reason for an act, 1 to 500 characters; refuses one that holds a key, which the audit log would keep."""
    return _reason(value, required=True)


def clean_optional_reason(value: str) -> str:
    """As :func:`clean_reason`, where none need be given."""
    return _reason(value, required=False)


def clean_email(value: str, *, pointer: str = "/admin_email") -> str:
    """Give the address in normal form (RFC 5321, 6531; no DNS is asked); refuses what is not one."""
    try:
        found = validate_email(str(value), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidFieldError.at(pointer, str(error)) from None
    if len(found.normalized) > 254:
        raise InvalidFieldError.at(pointer, "The address is longer than 254 characters.")
    return found.normalized


def collect(fields: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Run every reader and give the clean values; raises one InvalidInputError that names every bad field, not only the first."""
    clean: dict[str, str] = {}
    errors: list[FieldError] = []
    for name, read in fields.items():
        try:
            clean[name] = read()
        except DomainError as error:
            errors.extend(error.errors or (FieldError(f"/{name}", error.detail, error.code),))
    if errors:
        raise InvalidInputError("; ".join(error.detail for error in errors), errors=tuple(errors))
    return clean


def clean_slug(value: str) -> str:
    """Give the slug in normal form; see ``tenants.slugs``."""
    if not isinstance(value, str):
        raise InvalidFieldError.at("/slug", "A short name is text.")
    return normalise_slug(value)


def _reason(value: str, *, required: bool) -> str:
    text = _text(value, "/reason", limit=MAX_REASON, required=required)
    if _KEY.search(text):
        raise InvalidFieldError.at("/reason", "This holds a key; it would be shown and kept for ever.")
    return text


def _text(value: str, pointer: str, *, limit: int, required: bool) -> str:
    if not isinstance(value, str):
        raise InvalidFieldError.at(pointer, "This must be text.")
    text = unicodedata.normalize("NFC", value).strip()
    if not text and required:
        raise InvalidFieldError.at(pointer, "This is required.")
    if len(text) > limit:
        raise InvalidFieldError.at(pointer, f"This has {len(text)} characters; {limit} is the most.")
    if any(one in _TURNS_TEXT or unicodedata.category(one) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") for one in text):
        raise InvalidFieldError.at(pointer, "This holds control or unassigned characters.")
    return text
