"""What the projection takes of Redis for each key, at 1,000, 100,000 and 1,000,000 keys, and what packing and reading a record costs.

``python -m bench.projection`` starts a Redis of its own. Records are as the product writes them: one version a key, one of twenty sets of
scopes, one key in ten with an address range, fifty keys a tenant, each tenant with its limits. Memory is ``used_memory`` of that Redis after,
less before, by the number of keys: names, records, tenants, tables and the allocator's rounding are in it; what is resident is told apart.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from itertools import islice

import redis

from bench.result import Goal, Result, Table
from core.ids import KEY, TENANT, new_id
from tenants.limits import projection as p
from tenants.limits.effective import Limits
from tests.services import Valkey

SIZES, QUICK, BATCH, KEYS_A_TENANT, GOAL_BYTES = (1_000, 100_000, 1_000_000), (1_000, 20_000), 5_000, 50, 250
EPOCH = bytes(p.EPOCH_BYTES)


def records(number: int) -> Iterator[tuple[bytes, bytes]]:
    tenant = ""
    for index in range(number):
        if index % KEYS_A_TENANT == 0:
            tenant = new_id(TENANT)
            limits = Limits(10, 20, 100_000, 2_000_000, 10)
            record = p.pack_tenant(p.TenantRecord(p.Standing.SERVED, limits), index)
            yield p.name_of(EPOCH, p.Kind.TENANT, p.pack_id(tenant)), record
        key = key_record(index, tenant)
        yield p.name_of(EPOCH, p.Kind.KEY, key.digest[: p.HALF]), p.pack_key(key, index)
    for index in range(20):
        words = scopes(index)
        yield p.name_of(EPOCH, p.Kind.SCOPES, p.scopes_id(words)), p.stamped(0) + p.pack_scopes(words)


def scopes(index: int) -> tuple[str, ...]:
    return ("events:read", "events:write", f"jobs:part-{index % 20}")


def key_record(index: int, tenant: str) -> p.KeyRecord:
    cidrs = ("203.0.113.0/24",) if index % 10 == 0 else ()
    return p.KeyRecord(os.urandom(32), tenant, new_id(KEY), 1, p.Standing.SERVED, 1_900_000_000, scopes=scopes(index), cidrs=cidrs)


def fill(client: redis.Redis, number: int) -> tuple[float, float]:
    """Give bytes a key, counted and resident."""
    client.flushall()
    before, source = client.info("memory"), records(number)
    while some := dict(islice(source, BATCH)):
        client.mset(some)  # type: ignore[arg-type]
    after = client.info("memory")
    return tuple((after[name] - before[name]) / number for name in ("used_memory", "used_memory_rss"))  # type: ignore[return-value]


def microseconds() -> tuple[float, float]:
    """Give what packing a record and reading it costs."""
    key, times = key_record(1, new_id(TENANT)), 20_000
    packed, started = p.pack_key(key, 1), time.process_time()
    for _ in range(times):
        p.pack_key(key, 1)
    middle = time.process_time()
    for _ in range(times):
        p.unpack_key(packed, key.digest)
    return (middle - started) / times * 1e6, (time.process_time() - middle) / times * 1e6


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench``, in a Redis of its own."""
    valkey, table = Valkey(), Table("Redis' memory", ("keys", "bytes a key", "resident"))
    result, worst = Result("projection", "The projection that edges read", "Valkey", [table]), 0.0
    valkey.start()
    try:
        with redis.Redis.from_url(valkey.url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 100)) as client:
            for number in QUICK if quick else SIZES:
                counted, resident = fill(client, number)
                table.rows.append((f"{number:,}", f"{counted:.0f}", f"{resident:.0f}"))
                worst = counted
    finally:
        valkey.stop()
    result.goals.append(Goal("bytes a key in Redis, all included", worst, GOAL_BYTES, f"at {table.rows[-1][0]} keys"))
    packing, reading = microseconds()
    result.notes.append(f"Packing a record takes {packing:.1f} us of CPU, reading one {reading:.1f} us.")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    result = measure(None, quick=parser.parse_args().quick)
    for row in [result.tables[0].columns, *result.tables[0].rows]:
        print("".join(f"{cell:>14}" for cell in row))
    print(*result.notes, sep="\n")


if __name__ == "__main__":
    main()
