"""The engine's own time: whole onboardings beside the bare boto3 calls that they make, in turn, in one process."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

from bench.bare import Replayed, Script, Trace, recorded
from bench.customers import MIX, TIERS, Onboarding, onboard
from bench.ground import Ground, prepare_cell
from bench.result import Goal, Result, Table

LIMIT = 1.25


@dataclass(slots=True)
class Side:
    """What was measured of one isolation model, round by round."""

    model: str
    trace: Trace
    engine: list[Onboarding] = field(default_factory=list)
    bare: list[Replayed] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        return [whole.wall / bare.spent.wall for whole, bare in zip(self.engine, self.bare, strict=True)]

    def row(self) -> tuple[str, ...]:
        calls = len(self.trace.steps)
        whole = statistics.median(one.wall for one in self.engine) * 1000
        bare = statistics.median(one.spent.wall for one in self.bare) * 1000
        accept = statistics.median(one.accept.wall for one in self.engine) * 1000
        cpu = statistics.median(one.cpu for one in self.engine) * 1000
        bare_cpu = statistics.median(one.spent.cpu for one in self.bare) * 1000
        ratio = statistics.median(self.ratios)
        return (
            self.model,
            str(calls),
            f"{bare:.0f}",
            f"{whole:.0f}",
            f"{accept:.0f}",
            f"**{ratio:.2f}**",
            f"{(whole - bare) / calls:.2f}",
            f"{cpu:.0f} / {bare_cpu:.0f}",
        )


COLUMNS = (
    "model",
    "AWS calls",
    "bare ms",
    "engine ms",
    "of it: request ms",
    "engine / bare",
    "own ms a call",
    "CPU ms, engine / bare",
)


def measure(ground: Ground, *, quick: bool) -> Result:
    """Rounds of one onboarding and one bare sequence for each isolation model; who goes first changes with every round."""
    cell = prepare_cell(ground)
    script = Script(ground.standin.endpoint_url, cell.region)
    sides = [_prepare(model, script) for model in TIERS]
    rounds = 5 if quick else 25
    for number in range(rounds):
        for side in sides:
            if number % 2:
                side.bare.append(script.replay(side.trace))
            side.engine.append(onboard(side.model))
            if not number % 2:
                side.bare.append(script.replay(side.trace))
    result = Result("share", "The engine's own time over the bare boto3 calls", ground.database)
    result.tables.append(Table("Medians, one thread", COLUMNS, [side.row() for side in sides]))
    result.goals.append(Goal("onboarding, engine over bare boto3 calls, mixed models", _mixed(sides), LIMIT, f"{rounds} rounds"))
    result.goals += [
        Goal(f"onboarding, engine over bare boto3 calls, {side.model}", statistics.median(side.ratios), LIMIT, f"{rounds} rounds")
        for side in sides
    ]
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


def _mixed(sides: list[Side]) -> float:
    """The median over rounds of the ratio of one cycle of the mix."""
    weight = Counter(MIX)
    return statistics.median(
        sum(weight[side.model] * side.engine[number].wall for side in sides)
        / sum(weight[side.model] * side.bare[number].spent.wall for side in sides)
        for number in range(len(sides[0].engine))
    )


def _notes(rounds: int, sides: list[Side]) -> list[str]:
    own = statistics.median(
        (one.wall - two.spent.wall) / two.calls for side in sides for one, two in zip(side.engine, side.bare, strict=True)
    )
    answer = statistics.median(two.spent.wall / two.calls for side in sides for two in side.bare)
    at_fifty = own / 0.050
    return [
        f"{rounds} rounds, each one onboarding and one bare sequence of each model, who goes first changing with the round; "
        "ratios are medians over the rounds. Every call of the bare sequence is the engine's own, recorded and made again by boto3 "
        "alone under new names, look-ups and read-backs included; only the time inside boto3 counts. The engine's time is everything "
        "from the request to *active*: checks, rows, audit, outbox, claims, doorbells, records.",
        f"The stand-in answers a call in {answer * 1000:.1f} ms; the engine's own work is {own * 1000:.2f} ms a call. Where AWS takes "
        f"50 ms a call, the same work is {at_fifty:.1%} of it.",
    ]
