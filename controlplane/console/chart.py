"""Tenants by state as a stacked bar chart: lengths in percent for the bars, ticks for the axis, and the same numbers as a table. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tenants.facts import IsolationModel
from tenants.lifecycle import TenantState

STATES = (TenantState.ACTIVE, TenantState.PROVISIONING, TenantState.SUSPENDED, TenantState.OFFBOARDING, TenantState.CLOSED)
MODELS = tuple(IsolationModel)


@dataclass(frozen=True, slots=True)
class Segment:
    """One coloured piece of a bar; ``width`` is in percent of the axis."""

    model: str
    count: int
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One state: its pieces in the order of MODELS, and the numbers for the table."""

    state: str
    total: int
    segments: tuple[Segment, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """One number on the axis, at a percentage of it."""

    value: int
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole picture."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    models: tuple[str, ...]
    model_totals: tuple[int, ...]
    total: int

    def total_of(self, state: str) -> int:
        """The number of tenants in a state."""
        return next((bar.total for bar in self.bars if bar.state == state), 0)


def nice_step(highest: int, most_ticks: int = 5) -> int:
    """Give a step of 1, 2 or 5 times a power of ten, such that at most ``most_ticks`` steps reach ``highest``."""
    rough = max(1.0, highest / most_ticks)
    power = 10 ** math.floor(math.log10(rough))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= rough)


def chart_of(numbers: Mapping[tuple[str, str], int]) -> Chart:
    """Lay the numbers, keyed by state and isolation model, out as bars; states without tenants keep their row."""
    highest = max(1, *(sum(numbers.get((state, model), 0) for model in MODELS) for state in STATES))
    step = nice_step(highest)
    top = -(-highest // step) * step
    return Chart(
        bars=tuple(_bar(state, numbers, top) for state in STATES),
        ticks=tuple(Tick(value, round(100 * value / top, 2)) for value in range(0, top + 1, step)),
        models=tuple(model.value for model in MODELS),
        model_totals=tuple(sum(numbers.get((state, model), 0) for state in STATES) for model in MODELS),
        total=sum(numbers.get((state, model), 0) for state in STATES for model in MODELS),
    )


def _bar(state: str, numbers: Mapping[tuple[str, str], int], top: int) -> Bar:
    counts = tuple(numbers.get((state, model), 0) for model in MODELS)
    pairs = zip(MODELS, counts, strict=True)
    segments = tuple(Segment(model.value, count, round(100 * count / top, 2)) for model, count in pairs if count)
    return Bar(str(state), sum(counts), segments, counts)
