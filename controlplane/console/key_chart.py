"""Calls by hour and version as a stacked bar chart: heights in percent, and the same numbers as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controlplane.console.chart import nice_step

HOURS = 24


@dataclass(frozen=True, slots=True)
class Series:
    """One version: its number and stage, and its calls by hour, the oldest first."""

    number: int
    stage: str
    calls: Sequence[int]


@dataclass(frozen=True, slots=True)
class Piece:
    """One version's part of a column; ``height`` is in percent of the axis."""

    number: int
    stage: str
    calls: int
    height: float


@dataclass(frozen=True, slots=True)
class Hour:
    """One column: the hour's beginning, its pieces from the ground up, and the numbers for the table, one a series."""

    begins: datetime
    pieces: tuple[Piece, ...]
    calls: tuple[int, ...]

    @property
    def total(self) -> int:
        """All calls of the hour."""
        return sum(self.calls)


@dataclass(frozen=True, slots=True)
class CallChart:
    """The whole picture. ``top`` is what the highest tick stands for; ``series`` are newest first, as in the lineage."""

    hours: tuple[Hour, ...]
    series: tuple[Series, ...]
    top: int
    total: int

    @property
    def busy(self) -> tuple[Hour, ...]:
        """The hours with calls, the newest first: what the table shows."""
        return tuple(hour for hour in reversed(self.hours) if hour.total)


def chart_of(series: Sequence[Series], now: datetime) -> CallChart:
    """Lay the calls of the last hours out; versions without a call in them get no colour and no column of the table."""
    used = tuple(one for one in series if any(one.calls))
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    highest = max([1, *(sum(one.calls[place] for one in used) for place in range(HOURS))])
    step = nice_step(highest, 4)
    top = -(-highest // step) * step
    hours = tuple(_hour(first + timedelta(hours=place), used, place, top) for place in range(HOURS))
    return CallChart(hours, used, top, sum(hour.total for hour in hours))


def _hour(begins: datetime, series: Sequence[Series], place: int, top: int) -> Hour:
    pieces = tuple(
        Piece(one.number, one.stage, one.calls[place], round(100 * one.calls[place] / top, 2))
        for one in reversed(series)
        if one.calls[place]
    )
    return Hour(begins, pieces, tuple(one.calls[place] for one in series))


def series_of(versions: Sequence[tuple[str, int, str]], hours: Mapping[str, Sequence[int]]) -> list[Series]:
    """Make the series of (id, number, stage) and what ``evidence.hours_of`` gave."""
    return [Series(number, stage, hours.get(pk, [0] * HOURS)) for pk, number, stage in versions]
