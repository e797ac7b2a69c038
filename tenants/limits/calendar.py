"""Days and months of the UTC calendar, as numbers that grow by one from each to the next. Pure.

Times are microseconds since 1970-01-01T00:00:00Z, without leap seconds, as POSIX counts them.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from functools import lru_cache

DAY_US = 86_400 * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_DAYS = (datetime(9998, 12, 31, tzinfo=UTC) - EPOCH).days
"""Python's calendar ends with the year 9999; the month after the last one must still have a beginning."""


class Period(enum.StrEnum):
    """A stretch of the calendar after which a quota is whole again."""

    DAY = "day"
    MONTH = "month"

    def number(self, now_us: int) -> int:
        """Which one ``now_us`` lies in: days since 1970, or months since the year 0."""
        return now_us // DAY_US if self is Period.DAY else _month_of(now_us // DAY_US)

    def begins_us(self, number: int) -> int:
        """When the period with this number begins."""
        return (number if self is Period.DAY else _first_day_of(number)) * DAY_US

    def ends_us(self, number: int) -> int:
        """When the next one begins."""
        return self.begins_us(number + 1)


@lru_cache(maxsize=64)  # a hot path asks for the same day all day long
def _month_of(day: int) -> int:
    date = EPOCH + timedelta(days=min(max(day, 0), MOST_DAYS))
    return date.year * 12 + date.month - 1


@lru_cache(maxsize=64)
def _first_day_of(month: int) -> int:
    year, index = divmod(month, 12)
    return (datetime(year, index + 1, 1, tzinfo=UTC) - EPOCH).days
