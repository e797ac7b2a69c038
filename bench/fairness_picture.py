"""Lines over time, a few panels beside each other, as an SVG without scripts, fonts or other files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 190, 56, 62, 26
COLOURS = ("#1f6feb", "#d1572c")
DASHES = ("", "6 3")


@dataclass(frozen=True)
class Panel:
    """A title and one list of values for each line, evenly over the time."""

    title: str
    lines: Sequence[Sequence[float]]


def draw(panels: Sequence[Panel], *, names: Sequence[str], seconds: int, top: float, what: str) -> str:
    """Give the picture; ``what`` says what is drawn, ``top`` is the end of the axis, which values above are cut at."""
    width, height = LEFT + len(panels) * (WIDTH + GAP), TOP + HEIGHT + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="#24292f">',
        f"<title>{escape(what)}: {escape(', '.join(panel.title for panel in panels))}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_legend(names, what),
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, LEFT + index * (WIDTH + GAP), seconds, top, with_numbers=index == 0)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(names: Sequence[str], what: str) -> list[str]:
    parts, left = [f'<text x="8" y="20" font-weight="600">{escape(what)}</text>'], 53 + 7 * len(what)
    for name, colour, dash in zip(names, COLOURS, DASHES, strict=False):
        parts.append(f'<path d="M{left} 16h28" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>')
        parts.append(f'<text x="{left + 36}" y="20">{escape(name)}</text>')
        left += 56 + 7 * len(name)
    return parts


def _panel(panel: Panel, left: float, seconds: int, top: float, *, with_numbers: bool) -> list[str]:
    bottom = TOP + HEIGHT
    parts = [f'<text x="{left}" y="{TOP - 14}" font-weight="600">{escape(panel.title)}</text>']
    for step in range(5):
        y = bottom - HEIGHT * step / 4
        parts.append(f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="#d0d7de" stroke-width="{1.2 if step == 0 else 0.6}"/>')
        if with_numbers:
            parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(top * step / 4)}</text>')
    parts += [
        f'<text x="{left + WIDTH * second / seconds:.1f}" y="{bottom + 18}" text-anchor="middle">{second}{" s" * (second == 0)}</text>'
        for second in range(0, seconds + 1, 20)
    ]
    for line, colour, dash in zip(panel.lines, COLOURS, DASHES, strict=False):
        points = " ".join(
            f"{left + WIDTH * (index + 0.5) / len(line):.1f},{bottom - HEIGHT * min(value, top) / top:.1f}"
            for index, value in enumerate(line)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    return parts


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
