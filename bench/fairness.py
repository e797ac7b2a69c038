"""One tenant at a hundred times its share beside fifty quiet ones, under each way to limit: a discrete-event simulation, no clock and no network.

``python -m bench.fairness`` runs it by itself, prints the table and draws ``docs/pictures/fairness.svg``. The same seed gives the same arrivals
to every way. The platform is a queue with 20 servers, 20 ms a request on average (exponential), so 1,000 requests a second when all are busy;
900 of them are given out. Arrivals are Poisson. Whoever is refused goes away.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.fairness_picture import Panel, draw
from bench.result import Goal, Result, Table
from core import gcra
from tenants.limits.fairness import Sharing

SERVERS, SERVICE_SECONDS, GIVEN_OUT = 20, 0.020, 900
QUIET, QUIET_RATE, TIMES_ITS_SHARE = 50, 10.0, 100
SHARE = GIVEN_OUT / (QUIET + 1)
FLOOD = QUIET  # the last one
SECONDS, FLOOD_FROM, FLOOD_UNTIL, BIN = 60, 20, 40, 0.5
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "fairness.svg"

Admit = Callable[[int, float], bool]


def open_door() -> Admit:
    return lambda tenant, now: True


def one_key_a_tier() -> Admit:
    """All of a tier behind one key, as in usage plans that a tier's tenants share."""
    return _buckets(lambda tenant: 0, GIVEN_OUT)


def bucket_each(times: int = 1) -> Admit:
    """A token bucket a tenant, at its share, or at several times that, as capacity is sold more than once."""
    return _buckets(lambda tenant: tenant, SHARE * times)


def sharing() -> Admit:
    platform = Sharing(GIVEN_OUT, {str(tenant): 1 for tenant in range(QUIET + 1)})
    return lambda tenant, now: platform.ask(str(tenant), int(now * 1e6)).is_admitted


def _buckets(whose: Callable[[int], int], rate: float) -> Admit:
    limit, tats = gcra.Limit.per_second(rate, burst=max(1, int(rate))), {}

    def admit(tenant: int, now: float) -> bool:
        decision, tats[whose(tenant)] = gcra.decide(tats.get(whose(tenant)), int(now * 1e6), limit)
        return decision.allowed

    return admit


@dataclass
class Seen:
    """What came of one run: admitted and offered by tenant during the flood, waits of the quiet, admitted by time for the picture."""

    offered: list[int] = field(default_factory=lambda: [0] * (QUIET + 1))
    admitted: list[int] = field(default_factory=lambda: [0] * (QUIET + 1))
    waits: list[float] = field(default_factory=list)
    busy: float = 0.0
    quiet_bins: list[float] = field(default_factory=lambda: [0.0] * int(SECONDS / BIN))
    flood_bins: list[float] = field(default_factory=lambda: [0.0] * int(SECONDS / BIN))


def arrivals(seed: int, *, flooded: bool, quiet_rate: float = QUIET_RATE) -> list[tuple[float, int]]:
    chance, found = random.Random(seed), []
    for tenant in range(QUIET + 1):
        is_flood = tenant == FLOOD
        now, until = (float(FLOOD_FROM), FLOOD_UNTIL) if is_flood else (0.0, SECONDS)
        rate = SHARE * TIMES_ITS_SHARE if is_flood else quiet_rate
        while flooded or not is_flood:
            now += chance.expovariate(rate)
            if now >= until:
                break
            found.append((now, tenant))
    return sorted(found)


def simulate(admit: Admit, seed: int, *, flooded: bool = True, quiet_rate: float = QUIET_RATE) -> Seen:
    seen, free, chance = Seen(), [0.0] * SERVERS, random.Random(seed + 1)
    for now, tenant in arrivals(seed, flooded=flooded, quiet_rate=quiet_rate):
        during = FLOOD_FROM + 1 <= now < FLOOD_UNTIL  # the first second lets what was saved up be used
        seen.offered[tenant] += during
        if not admit(tenant, now):
            continue
        started = max(now, heapq.heappop(free))
        service = chance.expovariate(1 / SERVICE_SECONDS)
        heapq.heappush(free, started + service)
        bins = seen.flood_bins if tenant == FLOOD else seen.quiet_bins
        bins[int(now / BIN)] += 1 / BIN
        if during:
            seen.admitted[tenant] += 1
            seen.busy += service
            if tenant != FLOOD:
                seen.waits.append(started - now)
    return seen


def jain(seen: Seen) -> float:
    """Jain's index of what each got of its weighted max-min share: 1 is perfectly fair, 1/n one takes all."""
    seconds = FLOOD_UNTIL - FLOOD_FROM - 1
    quiet = [got / offered for got, offered in zip(seen.admitted[:FLOOD], seen.offered[:FLOOD], strict=True)]
    left = GIVEN_OUT * seconds - sum(seen.offered[:FLOOD])
    parts = [*quiet, seen.admitted[FLOOD] / min(seen.offered[FLOOD], left)] if seen.offered[FLOOD] else quiet
    return sum(parts) ** 2 / (len(parts) * sum(part**2 for part in parts))


WAYS: dict[str, Callable[[], Admit]] = {
    "no limits": open_door,
    "(a) one key for the tier": one_key_a_tier,
    "(b) a bucket each, at its share": bucket_each,
    "(b) a bucket each, at ten times its share": lambda: bucket_each(10),
    "**sharing by weight**": sharing,
}


def compare(seeds: range) -> tuple[Table, Table, dict[str, Seen], float]:
    """Run every way with every seed; gives the tables, a run of each way for the picture, and the ratio that the goal is about."""
    columns = (
        "",
        "quiet: admitted",
        "least admitted",
        "mean wait",
        "p99 wait",
        "added p99",
        "flood: admitted",
        "Jain",
        "work admitted",
    )
    table, alone = Table("During the flood", columns), [simulate(open_door(), seed, flooded=False) for seed in seeds]
    base, runs, shared = statistics.median(_p99(run) for run in alone), {}, 1.0
    table.rows.append(("nobody floods", *_cells(alone, base)))
    busy = [simulate(open_door(), seed, flooded=False, quiet_rate=GIVEN_OUT / QUIET) for seed in seeds]
    table.rows.append(("nobody floods, and the quiet keep it as busy", *_cells(busy, base)))
    for name, way in WAYS.items():
        many = [simulate(way(), seed) for seed in seeds]
        runs[name] = many[0]
        table.rows.append((name, *_cells(many, base)))
        shared = statistics.median(_share(run) for run in many)
    back = Table(
        "The quiet come back after a minute away, all at once, each asking for 0.9 of its share", ("", "admitted", "s until served")
    )
    back.rows += [(name, *_coming_back(way())) for name, way in WAYS.items() if way is not open_door]
    return table, back, runs, shared


def _cells(runs: list[Seen], base: float) -> tuple[str, ...]:
    seconds = FLOOD_UNTIL - FLOOD_FROM - 1
    middle: Callable[[Callable[[Seen], float]], float] = lambda of: statistics.median(of(run) for run in runs)  # noqa: E731
    p99 = middle(_p99)
    return (
        f"{middle(_share):.1%}",
        f"{middle(lambda run: min(a / o for a, o in zip(run.admitted[:FLOOD], run.offered[:FLOOD], strict=True))):.1%}",
        f"{middle(lambda run: statistics.fmean(run.waits)) * 1000:,.1f} ms",
        f"{p99 * 1000:,.1f} ms",
        f"{(p99 - base) * 1000:,.1f} ms",
        f"{middle(lambda run: run.admitted[FLOOD] / seconds):,.0f}/s",
        f"{middle(jain):.3f}",
        f"{middle(lambda run: run.busy / seconds / SERVERS):.0%}",
    )


def _share(run: Seen) -> float:
    return sum(run.admitted[:FLOOD]) / sum(run.offered[:FLOOD])


def _p99(run: Seen) -> float:
    return statistics.quantiles(run.waits, n=100)[98]


def _coming_back(admit: Admit) -> tuple[str, str]:
    """Flood alone for a minute, then everybody at its share: how much of that is admitted in ten seconds, and after how long all of it is."""
    chance, now, asked, got, last_refusal = random.Random(1), 0.0, 0, 0, 0.0
    each, flood = SHARE * 0.9, SHARE * TIMES_ITS_SHARE
    while now < 70:
        now += chance.expovariate(flood + QUIET * each)
        if chance.random() * (flood + QUIET * each) < flood:
            admit(FLOOD, now)
        elif now >= 60:
            admitted = admit(chance.randrange(QUIET), now)
            asked, got, last_refusal = asked + 1, got + admitted, last_refusal if admitted else now - 60
    return f"{got / asked:.1%}", f"{last_refusal:.2f}" if last_refusal < 9.5 else "never in 10"


def picture(runs: dict[str, Seen]) -> str:
    wanted = ("(a) one key for the tier", "(b) a bucket each, at its share", "**sharing by weight**")
    panels = [Panel(name.strip("*"), [runs[name].quiet_bins, runs[name].flood_bins]) for name in wanted]
    return draw(
        panels,
        names=("fifty quiet tenants together", "the one that floods"),
        seconds=SECONDS,
        top=1_000,
        what="Admitted requests/s",
    )


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench``; it needs none of the parts."""
    table, back, _, shared = compare(range(1 if quick else 5))
    result = Result("fairness", "Sharing by weight beside a flood", "simulated", [table, back])
    result.goals.append(Goal("quiet tenants refused beside a flood, in percent", 100 * (1 - shared), 0.1, "simulation"))
    result.notes.append((__doc__ or "").partition("\n\n")[2].replace("\n", " "))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    table, back, runs, _ = compare(range(options.seeds))
    for one in (table, back):
        print(f"{one.title}:\n\n| {' | '.join(one.columns)} |\n|{'---|' * len(one.columns)}")
        print("\n".join(f"| {' | '.join(row)} |" for row in one.rows) + "\n")
    PICTURE.write_text(picture(runs))
    print(f"drawn: {PICTURE}")


if __name__ == "__main__":
    main()
