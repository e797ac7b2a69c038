"""What ``up`` says at the terminal: notices, progress, and one table of addresses and credentials at the end."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from controlplane.embedded import processes
from controlplane.embedded.state import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.embedded.stack import Stack

WIDE = 240
PASSWORD_KEPT = "as shown at the first start"  # noqa: S105  # no password


class Teller:
    """Hears a stack and tells a person. A context manager: the progress display lives as long."""

    def __init__(self, console: Console | None = None) -> None:
        # Into a file or a pipe nothing is folded: addresses there are read by programs.
        self.console = console or Console(width=None if sys.stdout.isatty() else WIDE)
        self.operator: dict[str, str] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._progress.stop()

    def notice(self, text: str) -> None:
        """Print a sentence above the progress display."""
        self._progress.console.print(text, markup=False, highlight=False)

    def tell(self, event: Mapping[str, Any]) -> None:
        """Take an event of ``manage.py settle``."""
        match event.get("event"):
            case "operator":
                self.operator = {name: str(event[name]) for name in ("username", "password", "otpauth")}
            case "progress":
                self._advance(str(event["what"]), int(event["done"]), int(event["total"]))
            case "repaired":
                self.notice(f"{event['tenants']} tenants repaired.")
                for slug in event["failed"]:
                    self.notice(f"{slug} could not be repaired; its page in the console says why.")
            case _:
                self.notice(str(event.get("text", "")))

    def table(self, stack: Stack) -> None:
        """Print where everything is and how to get in. The password and the second factor's secret are shown this once."""
        self._progress.stop()
        table = Table(title="The control plane is up", title_justify="left", show_header=False)
        for name, value in self._rows(stack):
            table.add_row(name, Text(value, overflow="fold"))
        self.console.print(table)

    def _rows(self, stack: Stack) -> list[tuple[str, str]]:
        given = stack.given
        rows = [
            ("Console", f"{stack.url}/console/"),
            ("API", f"{stack.url}/api/v1/"),
            ("Portal", f"{stack.url}/portal/<short name of a tenant>/"),
            (
                "Admission edge",
                f"{stack.edge_url}/v1/verify (metrics: {processes.http_url(stack.ports[processes.OPERATORS])}/metrics)",
            ),
            ("Mail", f"{stack.state.root / 'mail'} (invitations and links for passwords, as files)"),
            ("User name", self.operator.get("username", "operator")),
            ("Password", self.operator.get("password", PASSWORD_KEPT)),
        ]
        if self.operator:
            rows.append(("Authenticator", self.operator["otpauth"]))
        rows += [
            ("One-time code", _command(stack, "totp")),
            ("AWS", given.aws_endpoint_url or f"{processes.http_url(stack.ports[processes.STANDIN])} (stand-in, {stack.region})"),
            (
                "Redis",
                "given by REDIS_URL" if given.redis_url else f"{LOOPBACK}:{stack.ports[processes.VALKEY]} (Valkey, keeps nothing)",
            ),
            ("Database", "given by DATABASE_URL" if given.database_url else str(stack.state.root / "controlplane.sqlite3")),
            ("State and logs", f"{stack.state.root} (addresses and keys for other commands in up.env)"),
            ("End", "Ctrl-C"),
        ]
        return rows

    def _advance(self, what: str, done: int, total: int) -> None:
        if done < total:
            if what not in self._tasks:
                self._tasks[what] = self._progress.add_task(what, total=total)
            self._progress.update(self._tasks[what], completed=done, total=total)
            return
        task = self._tasks.pop(what, None)
        if task is not None:
            self._progress.remove_task(task)
        self.notice(f"{what}: {done} of {total}")


def _command(stack: Stack, name: str) -> str:
    """How to type a command that finds this stack."""
    python = Path(sys.executable)
    shown = python.relative_to(processes.PROJECT) if python.is_relative_to(processes.PROJECT) else python
    folder = (
        "" if stack.state.root == processes.PROJECT / ".state" else f"CONTROLPLANE_STATE_DIR={shlex.quote(str(stack.state.root))} "
    )
    return f"{folder}{shown} manage.py {name}"
