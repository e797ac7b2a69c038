"""Measure, and write a table: ``python -m bench [--quick] [--only NAME ...]``, which is what ``make bench`` runs.

Everything is measured on SQLite, the embedded default; where ``DATABASE_URL`` names a PostgreSQL, what hangs on the database is measured
there as well, in databases of its own beside the one that is named. The table goes to ``bench/results/`` and to the terminal.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.report import as_json, describe_machine, markdown
from bench.result import Result
from bench.run import MEASUREMENTS

RESULTS = Path(__file__).parent / "results"
ON_BOTH = ("share", "throughput", "lists", "audit", "keys", "leaks", "portal")
"""The 1,000th tenant takes minutes, and its growth is the stand-in's and the product's own, not the database's."""
LONGEST_SECONDS = 1_800


def main(
    measurements: Sequence[str] = MEASUREMENTS,
    on_both: Sequence[str] = ON_BOTH,
    *,
    command: str = "bench",
    about: str | None = __doc__,
) -> int:
    """Run measurements and write their page; ``command`` is what ``make`` calls it."""
    parser = argparse.ArgumentParser(prog=f"python -m {command.replace('-', '.')}", description=about)
    parser.add_argument("--quick", action="store_true", help="a smoke run of about a minute; its numbers mean little")
    parser.add_argument(
        "--only", nargs="+", choices=measurements, default=measurements, metavar="NAME", help=", ".join(measurements)
    )
    parser.add_argument("--require-goals", action="store_true", help="fail where a goal is missed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started, machine, url = time.monotonic(), describe_machine(), os.environ.get("DATABASE_URL", "")
    runs = [(name, "") for name in options.only] + [(name, url) for name in options.only if url and name in on_both]
    results, failed = [], False
    for name, database_url in runs:
        result = _run(name, database_url, quick=options.quick)
        failed |= result is None
        results += [result] if result else []
    seconds = time.monotonic() - started
    page = markdown(results, machine, seconds, command=command)
    _write(page, as_json(results, machine, seconds), command=command, quick=options.quick)
    print(page)
    missed = any(not goal.is_met for result in results for goal in result.goals)
    return 1 if failed or (missed and options.require_goals) else 0


def _run(name: str, database_url: str, *, quick: bool) -> Result | None:
    """Run one measurement in a process of its own; None, with its last words on the terminal, when it failed."""
    where = "PostgreSQL" if database_url else "SQLite"
    print(f"measuring {name} on {where} ...", end=" ", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="controlplane-bench-") as folder:
        output = Path(folder) / "result.json"
        command = [sys.executable, "-m", "bench.run", name, "--output", str(output), "--database-url", database_url]
        try:
            # Its temporary files go with ours, however it ends; the parts that it starts end with it.
            environment = {**os.environ, "TMPDIR": folder}
            ended = subprocess.run(
                [*command, *(["--quick"] if quick else [])], env=environment, timeout=LONGEST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            print(f"not done after {LONGEST_SECONDS} s", file=sys.stderr)
            return None
        if ended.returncode or not output.exists():
            print("failed", file=sys.stderr)
            return None
        result = Result.read(output)
    print(f"{result.seconds:.0f} s", file=sys.stderr)
    return result


def _write(page: str, data: str, *, command: str, quick: bool) -> None:
    RESULTS.mkdir(exist_ok=True)
    name = f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}{command.removeprefix('bench')}{'-quick' if quick else ''}"
    (RESULTS / f"{name}.md").write_text(page)
    (RESULTS / f"{name}.json").write_text(data)
    print(f"written: {RESULTS / name}.md and .json", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
