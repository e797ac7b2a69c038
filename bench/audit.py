"""How many audited transactions a second: ``bench.audit_append`` without and with sealing, in short."""

from __future__ import annotations

from bench import audit_append
from bench.ground import Ground
from bench.result import Result, Table

THREADS = (1, 4)
MODES = {"bare": "rows alone, no chain", "sealed": "as the product does it"}


def measure(ground: Ground, *, quick: bool) -> Result:
    """Run both modes for a few seconds each."""
    seconds = 1.0 if quick else 4.0
    result = Result("audit", "Audited transactions a second", ground.database)
    table = Table(
        "Two events a transaction", ("chain", *(f"{n} thread{'s' if n > 1 else ''}: a second (p50, p99 ms)" for n in THREADS))
    )
    for mode, words in MODES.items():
        seen = [audit_append.run(mode, threads, seconds) for threads in THREADS]
        table.rows.append((words, *(f"{rate:.0f} ({median:.1f}, {p99:.1f})" for rate, median, p99 in seen)))
    result.tables.append(table)
    result.notes.append(
        f"{seconds:.0f} s each; a millisecond of other work in each transaction. More in `python -m bench.audit_append`."
    )
    return result
