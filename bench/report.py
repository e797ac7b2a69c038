"""Results as one Markdown page and one JSON file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version

from bench.result import Goal, Result, Table

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")


def describe_machine() -> str:
    """What it ran on, in words that name nobody's machine."""
    cores = os.cpu_count() or 0
    number = NUMBERS[cores] if cores < len(NUMBERS) else str(cores)
    load = f", load average {os.getloadavg()[0]:.1f} when it began" if hasattr(os, "getloadavg") else ""
    return (
        f"{number} shared core{'s' if cores != 1 else ''}{load}; {platform.system()}, Python {platform.python_version()}, "
        f"Django {version('django')}, boto3 {version('boto3')}, ministack {version('ministack')}"
    )


def markdown(results: Iterable[Result], machine: str, seconds: float, *, command: str = "bench") -> str:
    """The page: goals first, then each measurement with how it was done."""
    results = list(results)
    lines = [
        f"Measured on {datetime.now(UTC):%d %B %Y} by `make {command}` in {seconds / 60:.1f} minutes, on {machine}.",
        "Noisy machine: read ratios, not absolutes.",
        "",
        "## Goals",
        "",
        *_table(_goals(results)),
    ]
    for result in results:
        lines += ["", f"## {result.title} ({result.database})", ""]
        for table in result.tables:
            lines += [f"{table.title}:", "", *_table(table), ""]
        lines += [f"{note}\n" for note in result.notes]
    return "\n".join(lines).rstrip() + "\n"


def as_json(results: Iterable[Result], machine: str, seconds: float) -> str:
    """Everything that the page holds, with the goals' numbers unrounded."""
    return json.dumps(
        {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine,
            "seconds": round(seconds, 1),
            "results": [asdict(result) for result in results],
        },
        indent=1,
    )


def _goals(results: list[Result]) -> Table:
    rows = [_goal(goal, result) for result in results for goal in result.goals]
    return Table("Goals", ("what", "database", "measured", "goal", "", "how"), rows)


def _goal(goal: Goal, result: Result) -> tuple[str, ...]:
    verdict = "met" if goal.is_met else "**missed**"
    return (goal.what, result.database, f"{goal.measured:.2f}", f"at most {goal.limit:g}", verdict, goal.note)


def _table(table: Table) -> list[str]:
    head = [
        f"| {' | '.join(table.columns)} |",
        f"|{'|'.join('---' if number == 0 else '---:' for number in range(len(table.columns)))}|",
    ]
    return head + [f"| {' | '.join(row)} |" for row in table.rows]
