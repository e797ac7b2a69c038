"""The words and tones in which the console speaks of keys, their versions and the store. Pure; ``words`` takes the tones from here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenants.keys.models import ApiKey, KeyVersion

SOON = timedelta(days=30)
"""What expires within this time is marked."""
VERY_SOON = timedelta(days=7)

KEY_TONES = {
    "issuing": "busy",
    "active": "good",
    "disabled": "warn",
    "revoked": "quiet",
    "expired": "bad",
    "abandoned": "quiet",
}
STAGE_TONES = {"pending": "busy", "current": "good", "previous": "warn", "retired": "quiet"}
STORE_TONES = {"unsettled": "busy", "settled": "good", "lost": "bad", "empty": "quiet"}

STORE_WORDS = {
    "unsettled": "store not settled",
    "settled": "in the store",
    "lost": "lost from the store",
    "empty": "not in the store",
}
BECAUSE = {
    "rotated": "replaced by a rotation, without an overlap",
    "overlap-over": "its overlap was over",
    "quiet": "by evidence: its successor was in use and it was not",
    "retired": "its overlap was ended by hand",
    "revoked": "the key was revoked",
    "expired": "the key's time was over",
    "leaked": "it was found in public",
    "abandoned": "it never reached the store, so nobody has it",
}


def because(code: str) -> str:
    """Give why a version was retired, in words."""
    return BECAUSE.get(code, code.replace("-", " ").replace("_", " "))


def store_of(state: str) -> str:
    """Give a store state in words."""
    return STORE_WORDS.get(state, state)


def start_of(key: ApiKey, version: KeyVersion | None) -> str:
    """Give the visible start and end of a key's text, as people compare it: ``cpk_live_AbCd…1234``.

    Of an imported text only the end is known (``imported for live, …1234``), and of a key that has ended only the start is shown.
    """
    end = version.last_four if version else ""
    if version is not None and version.algorithm == "hmac-sha256-of-sha256":
        return f"imported for {key.environment}{', …' if end else ''}{end}"
    return f"{key.brand}_{key.environment}_{key.public_id[:4]}…{end}"


def nearness(expires_at: datetime | None, now: datetime) -> str:
    """Give the tone of an end: ``warn`` within SOON, ``bad`` within VERY_SOON, else nothing."""
    if expires_at is None or expires_at <= now or expires_at - now > SOON:
        return ""
    return "bad" if expires_at - now <= VERY_SOON else "warn"


def span(seconds: int) -> str:
    """Give a whole number of seconds in the largest unit that divides it: ``1 hour``, ``7 days``, ``90 minutes``, ``none``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds and seconds % size == 0 and (unit != "day" or seconds > size):
            number = seconds // size
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return "none"
