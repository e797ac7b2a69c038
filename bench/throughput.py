"""Tenants a minute: onboardings by 1 and by 4 worker threads, mixed and of each isolation model, from the request to *active*."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.clock import Spent
from bench.customers import MIX, TIERS, onboard_many
from bench.ground import Ground, prepare_cell
from bench.result import Result, Table

WORKERS = (1, 4)


@dataclass(frozen=True, slots=True)
class Load:
    """Which models are onboarded in one go."""

    name: str
    models: tuple[str, ...]


def measure(ground: Ground, *, quick: bool) -> Result:
    """Every load by each number of workers in turn, several rounds."""
    prepare_cell(ground)
    cycles, rounds = (1, 1) if quick else (2, 3)
    loads = [Load("mixed", MIX * cycles), *(Load(model, (model,) * 4 * cycles) for model in TIERS)]
    onboard_many(tuple(TIERS), max(WORKERS))  # makes the clients and warms the stand-in up
    seen: dict[tuple[str, int], list[tuple[Load, Spent]]] = {}
    for _ in range(rounds):
        for load in loads:
            for workers in WORKERS:
                seen.setdefault((load.name, workers), []).append((load, onboard_many(load.models, workers)))
    result = Result("throughput", "Tenants a minute", ground.database)
    table = Table(
        f"Medians of {rounds} rounds", ("load", *(f"{n} worker{'s' if n > 1 else ''}" for n in WORKERS), "times", "CPU ms a tenant")
    )
    for load in loads:
        rates = {
            workers: statistics.median(60 * len(one.models) / spent.wall for one, spent in seen[load.name, workers])
            for workers in WORKERS
        }
        cost = statistics.median(spent.cpu / len(one.models) for one, spent in seen[load.name, 1])
        parts = statistics.median(spent.parts / len(one.models) for one, spent in seen[load.name, 1])
        first, last = (rates[workers] for workers in (WORKERS[0], WORKERS[-1]))
        cpu = f"{cost * 1000:.0f} + {parts * 1000:.0f}"
        table.rows.append((load.name, *(f"{rate:.0f}" for rate in rates.values()), f"{last / first:.2f}", cpu))
    result.tables.append(table)
    result.notes.append(
        f"Each round onboards {len(loads[0].models)} mixed tenants ({_in_words()}) and {len(loads[1].models)} of each model. Workers are "
        "threads of one process, as in the product's own worker. The last column is CPU in the product and, after the plus sign, in the "
        "stand-in and Valkey. The stand-in works in one thread, and takes one of the machine's cores when there are several workers: its "
        "share of the CPU is the ceiling here, not the engine's. On AWS the ceiling is the call budgets of the account."
    )
    return result


def _in_words() -> str:
    return ", ".join(f"{MIX.count(model)} {model}" for model in TIERS) + " in every seven"
