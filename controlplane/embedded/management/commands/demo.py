"""``manage.py demo``: the whole story once, on a stack of its own. Exits non-zero if any promise did not hold."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from controlplane.embedded import processes
from controlplane.embedded.stack import Stack, running
from controlplane.embedded.telling import Teller
from core.errors import DomainError


class Command(BaseCommand):
    """Start a stack in a folder that ends with the demo, tell the story, wipe AWS in the middle, and repair it."""

    help = "Tell the whole story once on a stack of its own; fails if a promise is broken."

    def handle(self, *_: Any, **__: Any) -> None:
        """Tell both parts with the loss between them."""
        started = time.monotonic()
        console = Console(soft_wrap=True)
        try:
            with (
                tempfile.TemporaryDirectory(prefix="controlplane-demo-") as folder,
                Teller(console) as teller,
                running(Path(folder), notice=teller.notice, tell=teller.tell) as stack,
            ):
                self._tell(stack, "before")
                console.print("\n[bold]11. AWS loses everything[/bold]")
                stack.lose_standin()
                self._tell(stack, "after")
        except DomainError as error:
            raise CommandError(error.detail) from None
        console.print(f"\nEvery promise was kept, in {time.monotonic() - started:.0f} s.")

    def _tell(self, stack: Stack, part: str) -> None:
        quiet = {**stack.environment, "CONTROLPLANE_LOG_LEVEL": "WARNING"}
        done = subprocess.run([sys.executable, "manage.py", "story", part], env=quiet, cwd=processes.PROJECT, check=False)
        if done.returncode != 0:
            raise CommandError("A promise was broken.")
