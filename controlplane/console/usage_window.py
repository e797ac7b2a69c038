"""The stretches of time that pages about usage look back over, the one that runs included. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tenants.usage.figures import Span

SECONDS = {Span.MINUTE: 60, Span.HOUR: 3_600, Span.DAY: 86_400}


@dataclass(frozen=True, slots=True)
class Window:
    """``places`` stretches of one ``span`` each; ``word`` is how an address names it."""

    word: str
    title: str
    span: Span
    places: int

    @property
    def step(self) -> timedelta:
        """How long one stretch is."""
        return timedelta(seconds=SECONDS[self.span])

    def begins(self, now: datetime) -> datetime:
        """Give when the first stretch began, so that the one of ``now`` is the last."""
        running = now - timedelta(seconds=now.timestamp() % SECONDS[self.span])
        return running - (self.places - 1) * self.step


WINDOWS = (
    Window("15m", "15 minutes", Span.MINUTE, 15),
    Window("1h", "Hour", Span.MINUTE, 60),
    Window("24h", "Day", Span.HOUR, 24),
)


def chosen(word: str) -> Window:
    """Give the window of that word; the shortest for any other."""
    return next((window for window in WINDOWS if window.word == word), WINDOWS[0])
