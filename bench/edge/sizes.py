"""What a decision costs among a thousand, a hundred thousand and a million keys; what a key takes of Redis; how long a rebuild takes.

A thousand callers are among the keys. *Warm* is a decision of theirs again and again, two hundred in turn; *cold* is the first of each in a process
that knows none of them: key and tenant are read from Redis, and the limits drawn. CPU is that of this thread and of Redis together.
The rebuild is the product's own, from rows that were written in bulk, into an empty Redis.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from itertools import islice

import redis

from bench import projection as rows
from bench.edge.cast import Caller, make_cast
from bench.edge.inprocess import MANY, ask_anew, draw, nanoseconds
from bench.edge.machine import cores, cpu_seconds
from bench.edge.peers.own import PEPPER, records_of
from bench.edge.peers.peer import Store
from bench.result import Goal, Result, Table
from tenants.limits import projection as p
from tenants.limits.board import Board

SIZES, QUICK = (1_000, 100_000, 1_000_000), (1_000, 20_000)
COLD_ROUNDS, WARM_BURSTS, GOAL_TIMES, GOAL_BYTES = 20, 200, 1.2, 250
QUICK_COLD_ROUNDS, QUICK_WARM_BURSTS, AT_ONCE = 5, 40, 50


def fill(url: str, callers: tuple[Caller, ...], number: int) -> float:
    """Write a projection of ``number`` keys, callers' among them, into an empty Redis; gives the bytes that a key takes."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
        before = client.info("memory")["used_memory"]
        board = Board(client)
        build = board.begin()
        assert build is not None
        source = _records(build.epoch, callers, number)
        while some := dict(islice(source, rows.BATCH)):
            client.mset(some)  # type: ignore[arg-type]
            board.hold(build)
        board.finish(build)
        return float(client.info("memory")["used_memory"] - before) / number


def _records(epoch: bytes, callers: tuple[Caller, ...], number: int) -> Iterator[tuple[bytes, bytes]]:
    for (kind, what), record in records_of(callers, 1).items():
        yield p.name_of(epoch, kind, what), record
    for name, record in rows.records(number - len(callers)):
        yield p.PREFIX + epoch + name[len(p.PREFIX) + p.EPOCH_BYTES :], record


async def cost(url: str, callers: tuple[Caller, ...], redis_pid: int, *, quick: bool) -> tuple[float, float]:
    """Give microseconds of CPU of a warm decision and of a cold one."""
    cold = [await _cold(url, callers, redis_pid) for _ in range(QUICK_COLD_ROUNDS if quick else COLD_ROUNDS)]
    from controlplane.edge.edge import Edge

    edge = Edge(url, {1: PEPPER.encode()})
    await edge.open(within_seconds=10)
    try:
        warm = await nanoseconds(edge.judge, ask_anew, callers[:MANY], QUICK_WARM_BURSTS if quick else WARM_BURSTS)
    finally:
        await edge.close()
    return warm / 1e3, statistics.median(cold)


async def _cold(url: str, callers: tuple[Caller, ...], redis_pid: int) -> float:
    """Ask once for each in a process that has just begun, fifty at a time."""
    from controlplane.edge.edge import Edge

    edge = Edge(url, {1: PEPPER.encode()})
    await edge.open(within_seconds=10)
    try:
        spent = time.thread_time() + cpu_seconds(redis_pid)
        for start in range(0, len(callers), AT_ONCE):
            await draw(edge.judge, callers[start : start + AT_ONCE])
        spent = time.thread_time() + cpu_seconds(redis_pid) - spent
    finally:
        await edge.close()
    return spent / len(callers) * 1e6


def rebuild(number: int) -> tuple[float, float]:
    """Write rows, empty Redis, and give the seconds that the rebuild takes on the wall, and of CPU in this process."""
    from django.conf import settings

    from bench.edge import million
    from tenants.limits import projecting

    million.write(number)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
    wall, cpu = time.perf_counter(), time.process_time()
    if not projecting.ensure():
        raise RuntimeError("the projection was not rebuilt")
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench-edge``: costs in a Redis of its own, the rebuild on the database and Redis of ``bench.ground``."""
    from bench.ground import Ground

    assert isinstance(ground, Ground)
    result = Result("sizes", "The edge among many keys", ground.database)
    callers, sizes = make_cast().many, QUICK if quick else SIZES
    _measure_costs(result, callers, sizes, quick=quick)
    wall, cpu = rebuild(sizes[-1])
    table = Table("The projection rebuilt from the database", ("keys", "s", "s of CPU", "keys/s"))
    table.rows.append((f"{sizes[-1]:,}", f"{wall:,.1f}", f"{cpu:,.1f}", f"{sizes[-1] / wall:,.0f}"))
    result.tables.append(table)
    result.notes.append((__doc__ or "").partition("\n\n")[2].replace("\n", " ").strip())
    return result


def _measure_costs(result: Result, callers: tuple[Caller, ...], sizes: tuple[int, ...], *, quick: bool) -> None:
    table = Table("A decision among so many keys", ("keys", "warm, us", "cold, us", "bytes a key in Redis"))
    result.tables.append(table)
    found, size = [], 0.0
    store = Store(cores()[1])
    store.start()
    try:
        url = f"unix://{store.socket}?db=0"
        for number in sizes:
            size = fill(url, callers, number)
            assert store.process is not None
            found.append(asyncio.run(cost(url, callers, store.process.pid, quick=quick)))
            table.rows.append((f"{number:,}", *(f"{value:,.2f}" for value in found[-1]), f"{size:.0f}"))
    finally:
        store.stop()
    for place, what in enumerate(("warm", "cold")):
        note = f"CPU, {sizes[-1]:,} keys over {sizes[0]:,}"
        result.goals.append(Goal(f"a {what} decision among many keys", found[-1][place] / found[0][place], GOAL_TIMES, note))
    result.goals.append(Goal("bytes a key in Redis, all included", size, GOAL_BYTES, f"at {sizes[-1]:,} keys"))
