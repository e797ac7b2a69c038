"""Redis is emptied in the middle of fifty onboardings, with real workers and a real queue: all of them finish.

The queue is a doorbell. What was in it is rung for again by the sweep, from the rows.
"""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import redis

from controlplane.embedded.processes import PROJECT
from controlplane.embedded.stack import Stack, running

TENANTS = 50
LIMIT_SECONDS = 240


def count(stack: Stack, query: str) -> int:
    """Look into the stack's database from outside."""
    database = f"file:{stack.state.root / 'controlplane.sqlite3'}?mode=ro"
    with sqlite3.connect(database, uri=True, timeout=10) as connection:
        return int(connection.execute(query).fetchone()[0])


def test_fifty_onboardings_survive_the_loss_of_the_queue(tmp_path: Path) -> None:
    rows = tmp_path / "fifty.csv"
    with rows.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["slug", "name", "tier", "admin_email"])
        writer.writerows([f"customer-{n}x", f"Customer {n}", "basic", f"admin@customer-{n}.example"] for n in range(TENANTS))
    with running(tmp_path / "state") as stack:
        command = [sys.executable, "manage.py", "tenants", "onboard", str(rows), "--no-wait"]
        asking = subprocess.Popen(command, env=stack.environment, cwd=PROJECT, stdout=subprocess.DEVNULL)
        active = "SELECT count(*) FROM tenants_tenant WHERE state = 'active'"
        emptied_at, give_up_at = -1, time.monotonic() + LIMIT_SECONDS
        with redis.Redis.from_url(stack.environment["REDIS_URL"]) as broker:
            while (done := count(stack, active)) < TENANTS and time.monotonic() < give_up_at:
                if emptied_at < 0 and done >= TENANTS // 10 and asking.poll() is not None:
                    broker.flushall()
                    emptied_at = done
                time.sleep(0.05)  # real processes are watched here, there is no clock to move
        assert asking.wait(10) == 0
        assert 0 < emptied_at < TENANTS, f"the queue was emptied when {emptied_at} were done"
        assert done == TENANTS
        assert count(stack, "SELECT count(*) FROM provisioning_operation WHERE state NOT IN ('succeeded')") == 0
        assert count(stack, "SELECT count(*) FROM provisioning_resource WHERE state <> 'present'") == 0
