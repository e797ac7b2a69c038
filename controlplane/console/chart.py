"""Tenants by state as a stacked bar chart: geometry for an SVG with axis, ticks and legend, and the same numbers as a table. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tenants.facts import IsolationModel
from tenants.lifecycle import TenantState

WIDTH = 560
LEFT = 104
RIGHT = 52
ROW = 34
BAR = 18
TOP = 8
AXIS = 40
STATES = (TenantState.ACTIVE, TenantState.PROVISIONING, TenantState.SUSPENDED, TenantState.OFFBOARDING, TenantState.CLOSED)
MODELS = tuple(IsolationModel)


@dataclass(frozen=True, slots=True)
class Segment:
    """One coloured piece of a bar."""

    model: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One state: its label, its pieces, and the numbers for the table."""

    state: str
    total: int
    y: float
    middle: float
    end: float
    segments: tuple[Segment, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """One number on the axis."""

    value: int
    x: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole picture. Lengths are in the units of the SVG's view box."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    models: tuple[str, ...]
    model_totals: tuple[int, ...]
    total: int
    width: int
    height: int
    left: int
    bottom: float
    bar_height: int = BAR

    def total_of(self, state: str) -> int:
        """The number of tenants in a state."""
        return next((bar.total for bar in self.bars if bar.state == state), 0)

    @property
    def middle(self) -> float:
        """Where the axis's name stands."""
        return (self.left + self.width - RIGHT) / 2


def nice_step(highest: int, most_ticks: int = 5) -> int:
    """Give a step of 1, 2 or 5 times a power of ten, such that at most ``most_ticks`` steps reach ``highest``."""
    rough = max(1.0, highest / most_ticks)
    power = 10 ** math.floor(math.log10(rough))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= rough)


def chart_of(numbers: Mapping[tuple[str, str], int]) -> Chart:
    """Lay the numbers, keyed by state and isolation model, out as bars; states without tenants keep their row."""
    totals = {state: sum(numbers.get((state, model), 0) for model in MODELS) for state in STATES}
    highest = max(1, *totals.values())
    step = nice_step(highest)
    top = -(-highest // step) * step
    scale = (WIDTH - LEFT - RIGHT) / top
    bars = tuple(_bar(state, index, numbers, totals[state], scale) for index, state in enumerate(STATES))
    bottom = TOP + ROW * len(STATES)
    return Chart(
        bars=bars,
        ticks=tuple(Tick(value, round(LEFT + value * scale, 1)) for value in range(0, top + 1, step)),
        models=tuple(model.value for model in MODELS),
        model_totals=tuple(sum(numbers.get((state, model), 0) for state in STATES) for model in MODELS),
        total=sum(totals.values()),
        width=WIDTH,
        height=bottom + AXIS,
        left=LEFT,
        bottom=bottom,
    )


def _bar(state: str, index: int, numbers: Mapping[tuple[str, str], int], total: int, scale: float) -> Bar:
    counts = tuple(numbers.get((state, model), 0) for model in MODELS)
    segments, x = [], float(LEFT)
    for model, count in zip(MODELS, counts, strict=True):
        if count:
            segments.append(Segment(model.value, count, round(x, 1), round(count * scale, 1)))
            x += count * scale
    y = TOP + index * ROW + (ROW - BAR) / 2
    return Bar(str(state), total, y, y + BAR / 2, round(x, 1), tuple(segments), counts)
