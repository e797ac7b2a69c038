"""Calls by hour as bars, by version or by what became of them, and the same numbers as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOURS, WIDTH, HEIGHT, GAP = 24, 720, 160, 6
LOOKS = 3
"""Versions are told apart by their stage, and older ones by a third look: more than that nobody could tell apart in a bar."""


@dataclass(frozen=True, slots=True)
class Series:
    """One version: its number and stage, and its calls by hour, the oldest first.

    Number 0 is of no version; ``stage`` then says what became of the calls.
    """

    number: int
    stage: str
    calls: Sequence[int]

    @property
    def total(self) -> int:
        """All its calls."""
        return sum(self.calls)

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"version {self.number}" if self.number else self.stage

    @property
    def legend(self) -> str:
        """What the legend calls it."""
        return f"{self.name}, {self.stage}" if self.number else self.stage


@dataclass(frozen=True, slots=True)
class Bar:
    """One version's part of an hour's column, in the units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    stage: str
    words: str


@dataclass(frozen=True, slots=True)
class Hour:
    """One row of the table: when the hour began, and its calls, one number a series."""

    begins: datetime
    calls: tuple[int, ...]

    @property
    def total(self) -> int:
        """All calls of the hour."""
        return sum(self.calls)


@dataclass(frozen=True, slots=True)
class CallChart:
    """The whole picture. ``top`` is what the upper end of the axis stands for; ``series`` are newest first."""

    bars: tuple[Bar, ...]
    hours: tuple[Hour, ...]
    series: tuple[Series, ...]
    top: int
    total: int
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def busy(self) -> tuple[Hour, ...]:
        """The hours with calls, the newest first: what the table shows."""
        return tuple(hour for hour in reversed(self.hours) if hour.total)

    @property
    def labels(self) -> tuple[datetime, ...]:
        """The hours that the axis names."""
        return tuple(hour.begins for hour in self.hours[::6])


def chart_of(versions: Sequence[tuple[str, int, str]], calls: Mapping[str, Sequence[int]], now: datetime) -> CallChart:
    """Lay the calls of the last 24 hours out. ``versions`` are (id, number, stage), newest first; those without a call get no bar."""
    series = tuple(Series(number, stage, calls[pk]) for pk, number, stage in versions if any(calls.get(pk, ())))
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    hours = tuple(Hour(first + timedelta(hours=place), tuple(one.calls[place] for one in series)) for place in range(HOURS))
    top = nice(max([1, *(hour.total for hour in hours)]))
    bars = tuple(bar for place, hour in enumerate(hours) for bar in _column(place, hour, series, top))
    return CallChart(bars, hours, series, top, sum(hour.total for hour in hours))


def nice(highest: int) -> int:
    """Give the next number of the form 1, 2 or 5 times a power of ten: where an axis may end."""
    power = int("1" + "0" * (len(str(highest)) - 1))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= highest)


def _column(place: int, hour: Hour, series: Sequence[Series], top: int) -> list[Bar]:
    wide = WIDTH / HOURS
    ground, bars = float(HEIGHT), []
    for one in reversed(series):  # the oldest version at the bottom
        number = one.calls[place]
        if number:
            height = round(HEIGHT * number / top, 2)
            ground -= height
            words = f"{hour.begins:%H:%M} UTC, {one.name}: {number:,} call{'' if number == 1 else 's'}"
            bars.append(Bar(place * wide + GAP / 2, round(ground, 2), wide - GAP, height, one.stage, words))
    return bars
