"""Shapes of requests: serializers and fields that refuse what they do not know, and what they found wrong as field errors.

DRF is lenient: it drops unknown fields, and reads the number 1 as a text, ``"yes"`` as true and ``1.0`` as a whole number. A machine that
sends such a thing has a fault, and hears of it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from controlplane.api.addresses import normal_address
from core.errors import FieldError

MAX_ERRORS = 50
MAX_NAME = 100
"""Names of unknown fields are echoed; cut there, so that an answer does not grow with what was sent."""


class TextField(serializers.CharField):
    """A JSON string and nothing else; blanks around it are taken off."""

    def to_internal_value(self, data: Any) -> str:
        """Give the text, or refuse."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class WholeNumberField(serializers.IntegerField):
    """A JSON number without a fraction and nothing else."""

    def to_internal_value(self, data: Any) -> int:
        """Give the number, or refuse."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class FlagField(serializers.BooleanField):
    """true or false and nothing else."""

    def to_internal_value(self, data: Any) -> bool:
        """Give the flag, or refuse."""
        if not isinstance(data, bool):
            self.fail("invalid", input=type(data).__name__)
        return data


class ChoiceTextField(serializers.ChoiceField):
    """One of some texts, as a JSON string and nothing else."""

    def to_internal_value(self, data: Any) -> str:
        """Give the text, or refuse."""
        if not isinstance(data, str):
            self.fail("invalid_choice", input=type(data).__name__)
        return str(super().to_internal_value(data))


class MomentField(serializers.DateTimeField):
    """A time as RFC 3339 writes it, with its offset from UTC, and nothing else."""

    default_error_messages = {"naive": "Say the time's offset from UTC: 2030-01-31T12:00:00Z."}

    def to_internal_value(self, value: Any) -> datetime:
        """Give the moment, or refuse."""
        if not isinstance(value, str):
            self.fail("invalid", format="2030-01-31T12:00:00Z")
        try:
            read = parse_datetime(value)
        except ValueError:
            read = None
        if read is None:
            self.fail("invalid", format="2030-01-31T12:00:00Z")
        if read.tzinfo is None:
            self.fail("naive")
        return super().to_internal_value(value)


class AddressField(TextField):
    """An IPv4 or IPv6 address in its one spelling."""

    default_error_messages = {"address": "This is no IPv4 or IPv6 address."}

    def to_internal_value(self, data: Any) -> str:
        """Give the address as ``cidrs`` compares it, or refuse."""
        address = normal_address(super().to_internal_value(data))
        if not address:
            self.fail("address")
        return address


class Shape(serializers.Serializer[Any]):
    """A JSON object with these fields and no others."""

    def to_internal_value(self, data: Any) -> Any:
        """Give the fields, or name every one that is unknown or wrong."""
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name) for name in data if name not in known)
            if unknown:
                raise serializers.ValidationError({name: [ErrorDetail("There is no such field.", "unknown")] for name in unknown})
        return super().to_internal_value(data)


class ReasonShape(Shape):
    """Why somebody acts: kept in the audit log, beside who and when."""

    reason = TextField(min_length=3, max_length=500, help_text="Why; kept in the audit log. Holds no personal data and no secrets.")


def field_errors(detail: Any, *, query: bool = False) -> tuple[FieldError, ...]:
    """Flatten DRF's nested details to field errors, with JSON pointers (RFC 6901), at most 50 of them.

    With ``query`` the places are names of query parameters, written ``?name``.
    """
    found: list[FieldError] = []
    for path, item in _walk(detail, ()):
        pointer = "?" + "/".join(path) if query else "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
        found.append(FieldError(pointer, str(item), getattr(item, "code", None) or "invalid"))
        if len(found) == MAX_ERRORS:
            break
    return tuple(found)


def _walk(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = path if name == "non_field_errors" else (*path, str(name)[:MAX_NAME])
            yield from _walk(inner, here)
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list | tuple)
            if inner:
                yield from _walk(inner, (*path, str(index)) if nested else path)
    else:
        yield path, detail
