"""The words in which the portal speaks of scopes, stages and times. Pure.

What all doors say of keys is in ``tenants.keys.words``. Here is what only the people are told whose keys they are.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tenants.words import count

STAGE_WORDS = {
    "pending": "on its way into the store",
    "current": "in use",
    "previous": "still accepted during the overlap",
    "retired": "refused",
}
OURS = {
    "keys:read": "See your keys: names, states and use, never a text.",
    "keys:write": "Manage your keys: issue, rotate and revoke others that are no stronger than itself.",
}
VERBS = {"read": "Read", "write": "Write"}


def scope_of(word: str) -> str:
    """Give what a scope lets a key do, in words; the SaaS's own scopes say it by their noun and verb."""
    if word in OURS:
        return OURS[word]
    noun, _, verb = word.partition(":")
    return f"{VERBS.get(verb, verb.replace('-', ' ').capitalize())} {noun.replace('-', ' ')}."


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
