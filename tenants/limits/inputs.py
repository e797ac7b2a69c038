"""What people type about limits, made clean or refused with the field named. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.errors import FieldError, InvalidInputError
from tenants.limits.effective import BOUNDS, KeyLimits, Limited
from tenants.limits.rates import LONGEST_REFILL_SECONDS

OF_A_KEY = frozenset(one for one in Limited if one is not Limited.WEIGHT)


def clean_limited(value: object) -> Limited:
    """Give what is to be limited; raises InvalidInputError at ``/limited``."""
    try:
        return Limited(str(value))
    except ValueError:
        raise InvalidInputError.at("/limited", f"This is one of {', '.join(Limited)}.") from None


def clean_value(limited: Limited, value: object, *, pointer: str = "/value") -> int:
    """Give the number; raises InvalidInputError when it is none, or outside what this limit can be."""
    least, most = BOUNDS[limited]
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInputError.at(pointer, "This is a whole number.")
    if not least <= value <= most:
        raise InvalidInputError.at(pointer, f"This is from {least:,} to {most:,}.")
    return value


def clean_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Give the end, or None for good; raises InvalidInputError at ``/expires_at`` when it is past, or has no time zone."""
    if expires_at is None:
        return None
    if expires_at.tzinfo is None:
        raise InvalidInputError.at("/expires_at", "This time has no time zone.")
    if expires_at <= now:
        raise InvalidInputError.at("/expires_at", "This is past.")
    return expires_at


def clean_key_limits(values: Mapping[str, Any]) -> KeyLimits:
    """Give a key's limits; what is None does not limit, and a rate without a burst gets one second's worth. Names every bad field at once."""
    clean: dict[str, int | None] = {}
    errors: list[FieldError] = []
    for name, value in values.items():
        if name not in OF_A_KEY:
            errors.append(FieldError(f"/{name}", "There is no such limit of a key."))
            continue
        try:
            clean[name] = None if value is None else clean_value(Limited(name), value, pointer=f"/{name}")
        except InvalidInputError as error:
            errors.extend(error.errors)
    rate, burst = clean.get(Limited.RATE), clean.get(Limited.BURST)
    if rate is None and burst is not None:
        errors.append(FieldError("/burst", "A burst goes with a rate."))
    elif rate is not None and burst is not None and burst > rate * LONGEST_REFILL_SECONDS:
        errors.append(FieldError("/burst", "At this rate the burst would take more than a day to come back."))
    if errors:
        raise InvalidInputError("; ".join(error.detail for error in errors), errors=tuple(errors))
    if rate is not None and burst is None:
        clean[Limited.BURST.value] = rate
    return KeyLimits(**clean)
