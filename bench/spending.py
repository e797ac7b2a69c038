"""What the limits' script costs Redis for a question, what Redis keeps of each tenant, and the flood of ``bench.fairness`` decided by the script.

``python -m bench.spending`` starts a Redis of its own. CPU is that of the Redis process, user and system, of 20,000 questions of 500 tenants in
pipelines of 200, by their number; medians of five runs in turn. GCRA alone and a PING are beside it, to read the machine by. The flood runs by
the simulation's clock, which the script reads in the place of Redis' own.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import redis

from bench.fairness import FLOOD, FLOOD_FROM, FLOOD_UNTIL, GIVEN_OUT, QUIET, Admit, Seen, sharing, simulate
from bench.result import Goal, Result, Table
from core import gcra
from core.ids import KEY, TENANT, new_id
from tenants.limits import spending
from tenants.limits.effective import KeyLimits, Limits
from tenants.limits.spending import Bill
from tests.services import Valkey
from tests.tenants.limits.till import LATER, Till

TENANTS, QUESTIONS, BATCH, GOAL_US = 500, 20_000, 200, 15
IDS, KEYS = [new_id(TENANT) for _ in range(TENANTS)], [new_id(KEY) for _ in range(TENANTS)]
AMPLE = (100_000, 100_000, 10**9)
MONTH = Limits(*AMPLE, 10**10)
WANTED = "rate, quotas of day and month"

Command = tuple[Any, ...]


def questions() -> dict[str, Callable[[int], Bill]]:
    """Kinds of questions, each for the n-th tenant."""
    key, slots, refused = KeyLimits(*AMPLE, 10**10), Limits(*AMPLE, 10**10, 10**6), Limits(1, 1, 10**9, 10**10)
    whole, scarce = TENANTS * 2_000, TENANTS // 5
    return {
        "rate, quota of the day": lambda n: Bill(IDS[n], Limits(*AMPLE)),
        WANTED: lambda n: Bill(IDS[n], MONTH),
        "the same, with a lease of 50 tokens": lambda n: Bill(IDS[n], MONTH, extra=50),
        "the same, refused by the rate": lambda n: Bill(IDS[n], refused),
        "the same, and the same of a key": lambda n: Bill(IDS[n], MONTH, KEYS[n], key),
        "the same, and requests in flight": lambda n: Bill(IDS[n], slots, lease_id=f"request-{n}"),
        "the same, and the platform: its own part": lambda n: Bill(IDS[n], MONTH, capacity=whole, weights=TENANTS),
        "the same, and the platform: all want more": lambda n: Bill(IDS[n], MONTH, capacity=scarce, weights=TENANTS),
        "the same, and a slot of the platform: its own, kept": lambda n: Bill(
            IDS[n], MONTH, lease_id=f"request-{n}", slots=TENANTS * 4, weights=TENANTS
        ),
        "the same, and a slot of the platform: none is free": lambda n: Bill(
            IDS[n], MONTH, lease_id=f"another-{n}", slots=TENANTS // 5, weights=TENANTS
        ),
    }


def microseconds(client: redis.Redis, commands: Sequence[Command]) -> float:
    """Give CPU of Redis for one of these commands."""
    before = _cpu(client)
    for start in range(0, QUESTIONS, BATCH):
        pipeline = client.pipeline(transaction=False)
        for place in range(start, start + BATCH):
            pipeline.execute_command(*commands[place % len(commands)])
        pipeline.execute()
    return (_cpu(client) - before) / QUESTIONS * 1e6


def _cpu(client: redis.Redis) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def costs(client: redis.Redis, times: int) -> dict[str, float]:
    """Give the microseconds of each kind of question, of GCRA alone and of a PING."""
    sha, alone = client.script_load(spending.SCRIPT), client.script_load(gcra.LUA)
    asked: dict[str, list[Command]] = {"PING": [("PING",)]}
    limit = gcra.script_arguments(gcra.Limit.per_second(100_000, burst=100_000))
    asked["GCRA alone"] = [("EVALSHA", alone, 1, f"gcra:{tenant}", *limit) for tenant in IDS]
    for name, bill_of in questions().items():
        pairs = [spending.arguments(bill_of(n)) for n in range(TENANTS)]
        asked[name] = [("EVALSHA", sha, len(keys), *keys, *argv) for keys, argv in pairs]
    runs: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(times):
        for name, commands in asked.items():
            runs[name].append(microseconds(client, commands))
    return {name: statistics.median(some) for name, some in runs.items()}


def memory(client: redis.Redis, number: int) -> float:
    """Give bytes that Redis keeps of a tenant that has asked: name, record, tables and rounding included."""
    client.flushall()
    till, before = Till(client), client.info("memory")["used_memory"]
    for start in range(0, number, BATCH):
        till.ask_all([Bill(new_id(TENANT), MONTH) for _ in range(start, start + BATCH)])
    return float((client.info("memory")["used_memory"] - before) / number)


def scripted(client: redis.Redis) -> Admit:
    """The platform as in the simulation, shared by the script: no limit but the platform's, weights of one."""
    client.flushall()
    till, weights = Till(client, LATER), QUIET + 1
    bills = [
        Bill(new_id(TENANT), Limits(1_000_000, 2**31 - 1, 2**53 - 1), capacity=GIVEN_OUT, weights=weights) for _ in range(weights)
    ]

    def admit(tenant: int, now: float) -> bool:
        till.now_us = LATER + int(now * 1e6)
        return till.ask(bills[tenant]).is_admitted

    return admit


def _row(name: str, seen: Seen) -> tuple[str, ...]:
    quiet = sum(seen.admitted[:FLOOD]) / sum(seen.offered[:FLOOD])
    least = min(got / asked for got, asked in zip(seen.admitted[:FLOOD], seen.offered[:FLOOD], strict=True))
    p99 = statistics.quantiles(seen.waits, n=100)[98]
    return (
        name,
        f"{quiet:.1%}",
        f"{least:.1%}",
        f"{p99 * 1000:,.1f} ms",
        f"{seen.admitted[FLOOD] / (FLOOD_UNTIL - FLOOD_FROM - 1):,.0f}/s",
    )


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench``, in a Redis of its own."""
    table = Table("CPU of Redis for a question", ("asked", "us"))
    flood = Table("Beside a flood", ("decided by", "quiet: admitted", "least admitted", "p99 wait", "flood: admitted"))
    result, valkey, number = Result("spending", "The limits' script in Redis", "Valkey", [table, flood]), Valkey(), 10_000
    valkey.start()
    try:
        with redis.Redis.from_url(valkey.url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 100)) as client:
            measured = costs(client, 1 if quick else 5)
            kept = memory(client, number if quick else 10 * number)
            shared = simulate(scripted(client), 0)
    finally:
        valkey.stop()
    table.rows += [(name, f"{cost:.1f}") for name, cost in measured.items()]
    flood.rows += [_row("the pure function", simulate(sharing(), 0)), _row("the script", shared)]
    result.goals.append(Goal("us of Redis' CPU for a question", measured[WANTED], GOAL_US, WANTED))
    refused = 1 - sum(shared.admitted[:FLOOD]) / sum(shared.offered[:FLOOD])
    result.goals.append(Goal("quiet tenants refused beside a flood, in percent", 100 * refused, 0.1, "the script, simulated clock"))
    result.notes.append(f"Redis keeps {kept:.0f} bytes of a tenant.")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    result = measure(None, quick=parser.parse_args().quick)
    for table in result.tables:
        print(f"{table.title}:\n\n| {' | '.join(table.columns)} |\n|{'---|' * len(table.columns)}")
        print("\n".join(f"| {' | '.join(row)} |" for row in table.rows) + "\n")
    print("\n".join(result.notes))


if __name__ == "__main__":
    main()
