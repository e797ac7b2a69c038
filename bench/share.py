"""The engine's own time: whole onboardings beside the bare boto3 calls that they make, in turn, in one process."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.bare import Replayed, Script, Trace, recorded
from bench.clock import Spent
from bench.customers import MIX, TIERS, Onboarding, onboard
from bench.ground import Ground, prepare_cell
from bench.result import Goal, Result, Table

LIMIT = 1.25
COLUMNS = (
    "model",
    "AWS calls",
    "bare ms",
    "request ms",
    "engine ms",
    "engine / bare",
    "with the request / bare",
    "the same by CPU",
    "own ms a call",
)

Take = Callable[[Spent], float]


def wall(spent: Spent) -> float:
    return spent.wall


def cpu(spent: Spent) -> float:
    return spent.all_cpu


@dataclass(slots=True)
class Side:
    """What was measured of one isolation model, round by round."""

    model: str
    trace: Trace
    engine: list[Onboarding] = field(default_factory=list)
    bare: list[Replayed] = field(default_factory=list)

    def ratio(self, take: Take, *, with_request: bool) -> float:
        """The median over the rounds of engine over bare."""
        return statistics.median(
            take(one.whole if with_request else one.run) / take(two.spent) for one, two in zip(self.engine, self.bare, strict=True)
        )

    def own_seconds(self) -> float:
        """The median of what the engine itself, with the request, takes a call."""
        return statistics.median(
            (one.whole.wall - two.spent.wall) / two.calls for one, two in zip(self.engine, self.bare, strict=True)
        )

    def row(self) -> tuple[str, ...]:
        return (
            self.model,
            str(len(self.trace.steps)),
            f"{statistics.median(one.spent.wall for one in self.bare) * 1000:.0f}",
            f"{statistics.median(one.accept.wall for one in self.engine) * 1000:.0f}",
            f"{statistics.median(one.run.wall for one in self.engine) * 1000:.0f}",
            f"{self.ratio(wall, with_request=False):.2f}",
            f"{self.ratio(wall, with_request=True):.2f}",
            f"{self.ratio(cpu, with_request=False):.2f}, {self.ratio(cpu, with_request=True):.2f}",
            f"{self.own_seconds() * 1000:.2f}",
        )


def measure(ground: Ground, *, quick: bool) -> Result:
    """Rounds of one onboarding and one bare sequence for each isolation model; who goes first changes with every round."""
    cell = prepare_cell(ground)
    script = Script(ground.standin.endpoint_url, cell.region)
    sides = [_prepare(model, script) for model in TIERS]
    rounds = 3 if quick else 25
    for number in range(rounds):
        for side in sides:
            if number % 2:
                side.bare.append(script.replay(side.trace))
            side.engine.append(onboard(side.model))
            if not number % 2:
                side.bare.append(script.replay(side.trace))
    result = Result("share", "The engine's own time over the bare boto3 calls", ground.database)
    result.tables.append(Table("Medians, one thread", COLUMNS, [side.row() for side in sides]))
    by_cpu, with_request = _mixed(sides, cpu, with_request=False), _mixed(sides, wall, with_request=True)
    note = f"mixed models, {rounds} rounds; by CPU {by_cpu:.2f}; with the request's own part {with_request:.2f}"
    result.goals.append(Goal("onboarding: engine over bare boto3 calls", _mixed(sides, wall, with_request=False), LIMIT, note))
    result.notes += _notes(rounds, sides)
    return result


def _prepare(model: str, script: Script) -> Side:
    """Warm both sides up and take the trace, from the second onboarding, when clients and caches are there."""
    onboard(model)
    with recorded() as trace:
        onboarding = onboard(model)
    side = Side(model, trace.of(onboarding))
    script.replay(side.trace)
    return side


def _mixed(sides: list[Side], take: Take, *, with_request: bool) -> float:
    """The median over rounds of the ratio of one cycle of the mix."""
    weight = Counter(MIX)
    ratios = []
    for number in range(len(sides[0].engine)):
        whole = [(side.engine[number].whole if with_request else side.engine[number].run, side) for side in sides]
        engine = sum(weight[side.model] * take(spent) for spent, side in whole)
        ratios.append(engine / sum(weight[side.model] * take(side.bare[number].spent) for side in sides))
    return statistics.median(ratios)


def _notes(rounds: int, sides: list[Side]) -> list[str]:
    own = statistics.median(side.own_seconds() for side in sides)
    answer = statistics.median(two.spent.wall / two.calls for side in sides for two in side.bare)
    return [
        f"{rounds} rounds of one onboarding and one bare sequence of each model, who goes first changing with the round; ratios are "
        "medians over the rounds. Every call of the bare sequence is the engine's own, recorded and made again by boto3 alone under new "
        "names, look-ups and read-backs included; only the time inside boto3 counts. The engine's time is claim, rows, calls, read-backs, "
        "audit, outbox and doorbells until the tenant is *active*; the request's part is what the console or the API does before: checks, "
        "plan, rows, audit, outbox. *By CPU* counts CPU in this process, the stand-in and Valkey instead of the wall.",
        f"The stand-in answers a call in {answer * 1000:.1f} ms here; the product's own work, request included, is {own * 1000:.2f} ms a "
        f"call. Beside AWS's 50 ms and more a call the same work would be at most {own / 0.050:.1%}.",
    ]
