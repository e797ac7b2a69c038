"""The words and tones in which the portal speaks of keys, their versions, scopes and times. Pure.

The console has words of its own: it speaks to operators, of all tenants and of the store; the portal speaks to the people whose keys they are.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SOON = timedelta(days=30)
VERY_SOON = timedelta(days=7)

STATE_TONES = {"active": "good", "disabled": "warn", "revoked": "quiet", "expired": "bad"}
STAGE_TONES = {"pending": "busy", "current": "good", "previous": "warn", "retired": "quiet"}
STAGE_WORDS = {
    "pending": "on its way into the store",
    "current": "in use",
    "previous": "still accepted during the overlap",
    "retired": "refused",
}
BECAUSE = {
    "rotated": "replaced by a rotation",
    "overlap-over": "its overlap was over",
    "quiet": "its successor was in use and it was quiet",
    "retired": "its overlap was ended by hand",
    "revoked": "the key was revoked",
    "expired": "the key's time was over",
    "leaked": "it was found in public",
    "abandoned": "it never reached the store, so nobody has it",
}
OURS = {
    "keys:read": "See your keys: names, states and use, never a text.",
    "keys:write": "Manage your keys: issue, rotate and revoke others that are no stronger than itself.",
}
VERBS = {"read": "Read", "write": "Write"}


def because(code: str) -> str:
    """Give why a version was retired, in words."""
    return BECAUSE.get(code, code.replace("-", " ").replace("_", " "))


def scope_of(word: str) -> str:
    """Give what a scope lets a key do, in words; the SaaS's own scopes say it by their noun and verb."""
    if word in OURS:
        return OURS[word]
    noun, _, verb = word.partition(":")
    return f"{VERBS.get(verb, verb.replace('-', ' ').capitalize())} {noun.replace('-', ' ')}."


def nearness(expires_at: datetime | None, now: datetime) -> str:
    """Give the tone of an end: ``warn`` within 30 days, ``bad`` within 7, else nothing."""
    if expires_at is None or expires_at <= now or expires_at - now > SOON:
        return ""
    return "bad" if expires_at - now <= VERY_SOON else "warn"


def span(seconds: int) -> str:
    """Give a whole number of seconds in the largest unit that divides it: ``1 hour``, ``7 days``, ``90 minutes``, ``no time``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds and seconds % size == 0 and (unit != "day" or seconds > size):
            return count(seconds // size, unit)
    return "no time"


def count(number: int, noun: str, plural: str = "") -> str:
    """Give a number with its noun: ``1 call``, ``2,400 calls``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def roughly(length: timedelta) -> str:
    """Give a duration in its two largest units, rounded down: ``2 h 14 min``, ``3 days 4 h``, ``45 s``; negative ones count as none."""
    seconds = max(0, int(length.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    if days >= 60:
        return count(days, "day")
    if days:
        return count(days, "day") + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{left} s"


def ago(moment: datetime, now: datetime) -> str:
    """Give how long ago or how far ahead a moment is: ``just now``, ``14 min ago``, ``in 3 days``."""
    distance = now - moment
    if abs(distance) < timedelta(minutes=1):
        return "just now" if distance >= timedelta(0) else "in less than a minute"
    words = _one_unit(abs(distance))
    return f"{words} ago" if distance > timedelta(0) else f"in {words}"


def _one_unit(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 3_600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3_600} h"
    return count(seconds // 86_400, "day")
