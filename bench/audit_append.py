"""How fast audited transactions are, chained in three ways: the numbers behind docs/decisions/0003-audit-chain.md.

    DATABASE_URL=postgresql://... python -m bench.audit_append [--seconds 4] [--threads 1 4 8]

Each transaction updates a row of its own and writes two audit events, with a millisecond of other work in between, as a service does:
``bare`` writes the rows without any chain, ``locked`` takes the head's row lock at its first event and keeps it until commit, ``late`` takes it
just before commit, ``sealed`` is what the product does. Makes and drops a test database beside the one that is named.
"""

# ruff: noqa: E402  # Django must be set up before models are imported
from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
os.environ.setdefault("CONTROLPLANE_LOG_LEVEL", "ERROR")

import django

django.setup()

from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases

from core.actors import system
from core.audit import sealing, services
from core.audit.models import GLOBAL_CHAIN, AuditEvent, AuditHead
from core.audit.rows import keyring
from core.audit.services import record
from core.audit.verify import verify

WORK_SECONDS = 0.001


def write(number: int, between: Callable[[AuditEvent], None], last: Callable[[list[AuditEvent]], None]) -> None:
    tenant = f"tnt_{threading.get_ident()}_{number % 50}"
    with transaction.atomic():
        events = []
        for _ in range(2):
            event = record(action="step.finished", actor=system("bench"), target="op_1", tenant_id=tenant, details={"n": number})
            between(event)
            events.append(event)
            time.sleep(WORK_SECONDS / 2)
        last(events)


def link_inline(*events: AuditEvent) -> None:
    """What recording would do if the chain were extended inside the act's own transaction."""
    head = AuditHead.objects.select_for_update().get(chain=GLOBAL_CHAIN)
    heads = sealing._lock_tenant_heads({event.tenant_id for event in events if event.tenant_id})
    for event in events:
        sealing._link(keyring(), event, head, heads[event.tenant_id or ""])
    sealing._write_places(list(events))
    sealing._write_heads([head, *heads.values()])


def nothing(*_: object) -> None:
    return


MODES: dict[str, tuple[Callable[[AuditEvent], None], Callable[[list[AuditEvent]], None]]] = {
    "bare": (nothing, nothing),
    "locked": (link_inline, nothing),
    "late": (nothing, lambda events: link_inline(*events)),
    "sealed": (nothing, nothing),
}


def run(mode: str, threads: int, seconds: float) -> tuple[float, float, float]:
    """Transactions a second, their median and 99th percentile in milliseconds."""
    between, last = MODES[mode]
    original = sealing.seal_after_commit
    services.seal_after_commit = original if mode == "sealed" else nothing  # type: ignore[assignment]
    end, times, errors = time.monotonic() + seconds, [], []

    def work() -> None:
        number = 0
        with closing(connection):
            try:
                while time.monotonic() < end:
                    started = time.monotonic()
                    write(number, between, last)
                    times.append(time.monotonic() - started)
                    number += 1
            except Exception as error:  # noqa: BLE001  # a bench tells and goes on
                errors.append(error)

    pool = [threading.Thread(target=work) for _ in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    services.seal_after_commit = original
    if errors:
        print(f"  {mode}: {len(errors)} threads failed: {type(errors[0]).__name__}: {errors[0]}")
    times.sort()
    return len(times) / seconds, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 4, 8])
    options = parser.parse_args()
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"/tmp/audit-bench-{os.getpid()}.sqlite3"
    old = setup_databases(verbosity=0, interactive=False)
    try:
        AuditHead.objects.get_or_create(chain=GLOBAL_CHAIN)
        print(f"{connection.vendor}: audited transactions a second (median / p99 ms), two events each")
        for threads in options.threads:
            for mode in MODES:
                rate, median, p99 = run(mode, threads, options.seconds)
                left = sealing.pending().count()
                sealing.seal()
                print(f"{threads} threads {mode:7} {rate:7.0f}/s  {median:6.1f} / {p99:6.1f}  pending at the end {left}")
        started = time.monotonic()
        verdict = verify(anchors=False)
        print(f"verify: {verdict.checked} entries, ok={verdict.ok}, {verdict.checked / (time.monotonic() - started):,.0f} a second")
    finally:
        teardown_databases(old, verbosity=0)


if __name__ == "__main__":
    main()
