"""``manage.py story``: the chapters of the demo that run inside the product. ``manage.py demo`` starts the stack for it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from controlplane.embedded.demo.chapters import STORY
from controlplane.embedded.demo.stage import PromiseBrokenError, Stage


class Command(BaseCommand):
    """Tell one part of the story; fails when a promise was broken."""

    help = "What `demo` runs inside the product; not meant to be typed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which part: before or after AWS loses everything."""
        parser.add_argument("part", choices=sorted(STORY))

    def handle(self, *_: Any, part: str, **__: Any) -> None:
        """Tell the chapters in order."""
        if settings.ENVIRONMENT != "dev":
            raise CommandError("The story is told on the embedded stack only.")
        stage = Stage(Console(soft_wrap=True))
        try:
            for chapter in STORY[part]:
                chapter(stage)
        except PromiseBrokenError as error:
            raise CommandError(f"The story cannot go on: {error}") from None
        if stage.broken:
            raise CommandError(f"{len(stage.broken)} promises broken: {'; '.join(stage.broken)}")
