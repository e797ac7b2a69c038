"""Limits as the console speaks of them: their names, their numbers with units, and which one a refusal names. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.timezone import localtime

from tenants.limits.effective import Limited

NAMES = {
    Limited.RATE: "Rate",
    Limited.BURST: "Burst",
    Limited.QUOTA_PER_DAY: "Quota a day",
    Limited.QUOTA_PER_MONTH: "Quota a month",
    Limited.CONCURRENCY: "In flight",
    Limited.WEIGHT: "Weight",
}
UNITS = {
    Limited.RATE: "a second",
    Limited.BURST: "at once",
    Limited.QUOTA_PER_DAY: "a day",
    Limited.QUOTA_PER_MONTH: "a month",
    Limited.CONCURRENCY: "at a time",
    Limited.WEIGHT: "",
}
REASONS = {
    "rate": Limited.RATE,
    "quota-day": Limited.QUOTA_PER_DAY,
    "quota-month": Limited.QUOTA_PER_MONTH,
    "concurrency": Limited.CONCURRENCY,
}
"""The limits of a tenant by the names under which refusals are told."""
PLATFORM = {"platform": "Platform", "platform-concurrency": "Platform, in flight"}
"""The platform's capacity, which refuses too."""
ENDS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
"""How long an override may hold, for those that are offered with one press."""


def number_of(limited: Limited, value: int | None) -> str:
    """Give a limit's number with its unit: ``50 a second``, ``not limited``."""
    return "not limited" if value is None else f"{value:,} {UNITS[limited]}".rstrip()


def reason_of(name: str) -> str:
    """Give what refused, in words: ``rate`` is *Rate*, ``key-rate`` is *Rate of a key*, ``disabled`` is itself."""
    if name in PLATFORM:
        return PLATFORM[name]
    limited = REASONS.get(name)
    if limited is not None:
        return NAMES[limited]
    of_key = REASONS.get(name.removeprefix("key-"))
    return f"{NAMES[of_key]} of a key" if of_key is not None else name.replace("-", " ").capitalize()


def until(moment: datetime | None) -> str:
    """Give an end in words, as the end of a sentence."""
    return "for good" if moment is None else f"until {date_format(localtime(moment), 'j M Y, H:i')} UTC"
