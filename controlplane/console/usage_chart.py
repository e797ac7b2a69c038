"""Requests over time, allowed and refused, with the line of what the limit brings; heights in percent, and the same numbers as a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.console.chart import nice_step

FAR = 4
"""A line this many times above the highest column would make all of them flat: it is told in words."""


@dataclass(frozen=True, slots=True)
class Column:
    """One stretch of time. Heights are in percent of the axis, the refused on top of the allowed."""

    begins: datetime
    allowed: int
    refused: int
    allowed_height: float
    refused_height: float


@dataclass(frozen=True, slots=True)
class UsageChart:
    """The whole picture. ``line`` is what the limit brings in one stretch, None for no limit; ``line_at`` its height, None when it is too far up."""

    columns: tuple[Column, ...]
    top: int
    line: int | None
    line_at: float | None
    allowed: int
    refused: int

    @property
    def busy(self) -> tuple[Column, ...]:
        """The stretches with requests, the newest first: what the table shows."""
        return tuple(column for column in reversed(self.columns) if column.allowed or column.refused)


def chart_of(points: Iterable[tuple[datetime, int, int]], line: int | None = None) -> UsageChart:
    """Lay out (beginning, allowed, refused) as columns, the oldest first."""
    rows = list(points)
    highest = max([1, *(allowed + refused for _, allowed, refused in rows)])
    drawn = line is not None and line <= FAR * highest
    top = _top(max(highest, line if line is not None and drawn else 0))
    columns = tuple(Column(at, allowed, refused, _percent(allowed, top), _percent(refused, top)) for at, allowed, refused in rows)
    return UsageChart(
        columns,
        top,
        line,
        _percent(line, top) if line is not None and drawn else None,
        sum(column.allowed for column in columns),
        sum(column.refused for column in columns),
    )


@dataclass(frozen=True, slots=True)
class LoadBar:
    """One tenant's bar: the pieces in percent of the axis."""

    name: str
    allowed: int
    refused: int
    allowed_width: float
    refused_width: float


def bars_of(loads: Sequence[tuple[str, int, int]]) -> tuple[LoadBar, ...]:
    """Lay out (name, allowed, refused) as bars on one axis."""
    top = max([1, *(allowed + refused for _, allowed, refused in loads)])
    return tuple(
        LoadBar(name, allowed, refused, _percent(allowed, top), _percent(refused, top)) for name, allowed, refused in loads
    )


def _top(highest: int) -> int:
    step = nice_step(highest, 4)
    return -(-highest // step) * step


def _percent(value: int, top: int) -> float:
    return round(100 * value / top, 2)
