"""The teller of the demo: headings, progress, and promises that were kept or broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

WAIT_SECONDS = 600.0
LOOK_SECONDS = 0.1


class PromiseBrokenError(Exception):
    """The story cannot go on: what comes next stands on this promise."""


@dataclass
class Stage:
    """Where the story is told. ``kept`` and ``broken`` collect every promise with what was found."""

    console: Console
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self.console.print(f"\n[bold]{escape(title)}[/bold]")

    def say(self, text: str) -> None:
        """Tell something that is no promise."""
        self.console.print(f"  {escape(text)}")

    def promise(self, text: str, kept: bool, found: str = "", *, vital: bool = False) -> None:
        """Hold a promise against what was found; a ``vital`` one that is broken ends the story."""
        mark = "[green]kept  [/green]" if kept else "[red]BROKEN[/red]"
        self.console.print(f"  {mark} {escape(text)}{escape(f' ({found})') if found else ''}")
        (self.kept if kept else self.broken).append(text)
        if vital and not kept:
            raise PromiseBrokenError(text)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar; gives the function that takes the number done."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    def wait(self, what: str, done: Callable[[], int], total: int) -> None:
        """Show progress until ``done`` gives ``total``; a PromiseBrokenError after ten minutes without that."""
        give_up_at = time.monotonic() + WAIT_SECONDS
        with self.progress(what, total) as show:
            while (number := done()) < total:
                show(number)
                if time.monotonic() > give_up_at:
                    self.promise(f"{what} ends within {WAIT_SECONDS:.0f} s", False, f"{number} of {total}", vital=True)
                time.sleep(LOOK_SECONDS)
            show(total)
