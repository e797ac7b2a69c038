"""Calls by hour as a drawing of a few bytes: the path of an SVG, without a style of its own, as the content security policy wants. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEP, BAR, HEIGHT = 4, 3, 20
LEAST = 1.5
"""How high an hour with a single call is at least: it should be seen beside one with a million."""


@dataclass(frozen=True, slots=True)
class Spark:
    """The drawing: its size, the path of its bars, and in words what it shows."""

    width: int
    height: int
    path: str
    words: str
    total: int


def spark_of(calls: Sequence[int]) -> Spark:
    """Draw the calls of each hour, the oldest first, scaled to the busiest of them."""
    total, top = sum(calls), max([1, *calls])
    bars = (f"M{place * STEP} {_BARS[_tenths(number, top)]}" for place, number in enumerate(calls) if number)
    words = f"{total:,} call{'' if total == 1 else 's'} in {len(calls)} hours" if total else f"No calls in {len(calls)} hours"
    return Spark(STEP * len(calls), HEIGHT, "".join(bars), words, total)


def total_of(series: Sequence[Sequence[int]]) -> list[int]:
    """Add the calls of several versions hour by hour."""
    return [sum(hour) for hour in zip(*series, strict=True)] if series else []


def _tenths(number: int, top: int) -> int:
    """Give the height of a bar in tenths."""
    return max(round(10 * LEAST), round(10 * HEIGHT * number / top))


_BARS = [f"{HEIGHT}v{-tenths / 10:g}h{BAR}V{HEIGHT}z" for tenths in range(10 * HEIGHT + 1)]
"""Every bar there can be, by its height in tenths: a list has hundreds of them."""
