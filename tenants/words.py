"""Numbers and durations as people read them, at every door alike. Pure."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """Give a number with its noun: ``1 call``, ``2,400 calls``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(seconds: int) -> str:
    """Give a whole number of seconds in the largest unit that divides it: ``1 hour``, ``7 days``, ``90 minutes``, ``no time``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds and seconds % size == 0 and (unit != "day" or seconds > size):
            return count(seconds // size, unit)
    return "no time"
