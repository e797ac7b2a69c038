"""What counting costs: the flush of an edge process, and the roll-up of what 1,000 tenants with 20,000 keys did in a second.

    DATABASE_URL=postgresql://... python -m bench.usage [--keys 20000] [--tenants 1000] [--edges 1 4] [--rounds 5]

Starts a Valkey of its own, and makes and drops a test database beside the one that is named. Each edge counts all keys in each second, one in twenty
of them refused as well. ``one second`` is one batch of each edge; ``five seconds`` is what really waits, as the clock comes every 5 s. The first
second of each minute also notes the last use of every key, and the very first asks for all keys and makes every row: those are told apart. CPU is
of this process and of the database's server; on a busy machine the wall says how busy it is.
"""

# ruff: noqa: E402  # Django must be set up before models are imported
from __future__ import annotations

import argparse
import os
import statistics
from datetime import UTC, datetime, timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
os.environ.setdefault("CONTROLPLANE_LOG_LEVEL", "ERROR")

import django

django.setup()

import redis
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from django.utils import timezone

from bench.clock import Spent, timed, watch
from bench.portal_rows import BATCH, _tenant
from core.ids import KEY, KEY_VERSION, TENANT, new_id
from tenants.keys import tokens
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Tenant
from tenants.usage import rolling
from tenants.usage.models import UsageMinute
from tenants.usage.stream import Stream
from tenants.usage.tally import Tally
from tests.services import Valkey

Names = list[tuple[str, str]]


def fill(tenants: int, keys: int) -> Names:
    """Write tenants and keys with one version each; gives tenant id and key id of each key."""
    first, now = _tenant("first"), timezone.now()
    ids = [first.pk, *(new_id(TENANT) for _ in range(tenants - 1))]
    rows = []
    for number, tenant_id in enumerate(ids[1:]):
        row = Tenant.objects.get(pk=first.pk)
        row.pk, row.slug, row.skeleton, row.name = tenant_id, f"t{number}", f"t{number}", f"T{number}"
        rows.append(row)
    Tenant.objects.bulk_create(rows, batch_size=BATCH)
    names = [(ids[place % tenants], new_id(KEY)) for place in range(keys)]
    common = {"brand": "cpk", "environment": "live", "name": "k", "state": "active", "created_by": "bench", "created_at": now}
    ApiKey.objects.bulk_create(
        [ApiKey(pk=key, tenant_id=tenant, public_id=tokens.new_public_id(), **common) for tenant, key in names], batch_size=BATCH
    )
    life = {"issued_at": now, "expires_at": now + timedelta(days=9), "created_by": "bench", "pepper_id": 1, "last_four": "0000"}
    KeyVersion.objects.bulk_create(
        [
            KeyVersion(pk=new_id(KEY_VERSION), key_id=key, number=1, stage="current", digest=os.urandom(32).hex(), **life)
            for _, key in names
        ],
        batch_size=BATCH,
    )
    return names


def count(names: Names, at: datetime, edges: int, stream: Stream) -> list[Spent]:
    """Have each edge count a second and flush it; gives how long each flush kept its edge busy."""
    spent = []
    for _ in range(edges):
        tally = Tally()
        for place, (tenant, key) in enumerate(names):
            tally.count(tenant, key, 1, "VALID")
            if place % 20 == 0:
                tally.count(tenant, key, 1, "RATE_LIMITED", "rate")
        taken = []
        with timed() as flush:
            while (batch := tally.take(int(at.timestamp() * 1000))) is not None:
                taken.append(batch)
        spent.append(flush)
        for batch in taken:
            stream.add(batch)
    return spent


def rolled(now: datetime) -> Spent:
    with timed() as spent:
        rolling.roll_up(now=now)
    return spent


def measure(names: Names, at: datetime, edges: int, rounds: int, stream: Stream) -> None:
    flushes = count(names, at, edges, stream)
    first = rolled(at)
    of_one, of_five, of_minute = [], [], []
    for number in range(rounds):
        minute = at + (number + 1) * timedelta(minutes=1)
        flushes += count(names, minute, edges, stream)
        of_minute.append(rolled(minute))
        flushes += count(names, minute, edges, stream)
        of_one.append(rolled(minute))
        for _ in range(5):
            flushes += count(names, minute, edges, stream)
        of_five.append(rolled(minute))
    told = {"first of all": [first], "new minute": of_minute, "one second": of_one, "five seconds": of_five, "flush": flushes}
    for what, some in told.items():
        wall, cpu = statistics.median(one.wall for one in some), statistics.median(one.all_cpu for one in some)
        print(
            f"{connection.vendor}, {edges} edges, {what}: {cpu:.3f} s of CPU, {wall:.3f} s on the wall, n = {len(some)}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--edges", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"/tmp/usage-bench-{os.getpid()}.sqlite3"
    old = setup_databases(verbosity=0, interactive=False)
    valkey = Valkey()
    try:
        valkey.start()
        stream = Stream(redis.Redis.from_url(valkey.url))
        rolling.stream = lambda: stream  # type: ignore[assignment]  # instead of the one in the settings
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                watch(cursor.fetchone()[0])
        names = fill(options.tenants, options.keys)
        for place, edges in enumerate(options.edges):
            measure(names, datetime.now(UTC) - timedelta(hours=4 * (place + 1)), edges, options.rounds, stream)
        print(f"rows by minute: {UsageMinute.objects.count()}")
    finally:
        valkey.stop()
        teardown_databases(old, verbosity=0)


if __name__ == "__main__":
    main()
