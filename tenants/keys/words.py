"""What is said of keys and their versions to whoever sees them, at every door alike. Pure.

A tone says how a state is to be taken: ``good``, ``busy`` (something is under way), ``warn``, ``bad``, ``quiet`` (it is over). How a tone looks is
each door's own affair, and so are words that are meant for its people alone: operators are told of the store, tenants what a scope lets
their program do.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SOON = timedelta(days=30)
"""What ends within this time is marked."""
VERY_SOON = timedelta(days=7)

STATE_TONES = {
    "issuing": "busy",
    "active": "good",
    "disabled": "warn",
    "revoked": "quiet",
    "expired": "bad",
    "abandoned": "quiet",
}
STAGE_TONES = {"pending": "busy", "current": "good", "previous": "warn", "retired": "quiet"}
BECAUSE = {
    "rotated": "replaced by a rotation",
    "overlap-over": "its overlap was over",
    "quiet": "its successor was in use and it was not",
    "retired": "its overlap was ended by hand",
    "revoked": "the key was revoked",
    "expired": "the key's time was over",
    "leaked": "it was found in public",
    "abandoned": "it never reached the store, so nobody has it",
    "offboarded": "the tenant was offboarded",
}


def because(code: str) -> str:
    """Give why a version was retired, in words."""
    return BECAUSE.get(code, code.replace("-", " ").replace("_", " "))


def nearness(expires_at: datetime | None, now: datetime) -> str:
    """Give the tone of an end: ``warn`` within SOON, ``bad`` within VERY_SOON, else nothing."""
    if expires_at is None or expires_at <= now or expires_at - now > SOON:
        return ""
    return "bad" if expires_at - now <= VERY_SOON else "warn"


def start_of(brand: str, environment: str, public_id: str, last_four: str = "") -> str:
    """Give the visible start and end of a key's text, as people compare it: ``cpk_live_AbCd…1234``; the start alone where no end is known."""
    return f"{brand}_{environment}_{public_id[:4]}…{last_four}"
