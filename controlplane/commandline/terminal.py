"""Where a command writes for people."""

from __future__ import annotations

from typing import IO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console

WIDE = 240


def console_on(output: OutputWrapper) -> Console:
    """Give a console on a command's own output; into a file or a pipe nothing is folded, because programs read it there."""
    return Console(file=cast("IO[str]", output), width=None if output.isatty() else WIDE, soft_wrap=True)
