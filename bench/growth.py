"""Whether the 1,000th tenant costs more than the 10th: windows of onboardings early and late, with bare boto3 calls in between."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.bare import Replayed, Script, Trace, recorded
from bench.clock import Spent
from bench.customers import MIX, TIERS, Onboarding, onboard, onboard_many
from bench.ground import Ground, prepare_cell
from bench.result import Goal, Result, Table

LIMIT = 1.2
EARLY, LATE, LATE_QUICK = range(5, 26), range(990, 1011), range(26, 47)
"""Each holds three cycles of the mix, and the same models in the same order."""
FILLERS = 4
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Pair:
    """One onboarding and the bare calls of its model, right after each other."""

    model: str
    engine: Onboarding
    bare: Replayed


@dataclass(slots=True)
class Window:
    """What was measured of the tenants with these numbers."""

    numbers: range
    pairs: list[Pair] = field(default_factory=list)

    def typical(self, take: Callable[[Pair], float]) -> float:
        """The mean over the mix of the models' medians."""
        weight = Counter(MIX)
        medians = {model: statistics.median(take(pair) for pair in self.pairs if pair.model == model) for model in weight}
        return sum(weight[model] * medians[model] for model in weight) / len(MIX)

    def __str__(self) -> str:
        return f"{self.numbers.start:,} to {self.numbers.stop - 1:,}"


ROWS: tuple[tuple[str, Callable[[Pair], Spent]], ...] = (
    ("onboarding", lambda pair: pair.engine.whole),
    ("of it: the request", lambda pair: pair.engine.accept),
    ("of it: the engine", lambda pair: pair.engine.run),
    ("the bare boto3 calls beside it", lambda pair: pair.bare.spent),
)


def measure(ground: Ground, *, quick: bool) -> Result:
    """Onboard tenants; those in the windows one after another and timed, those in between by several workers."""
    cell = prepare_cell(ground)
    script = Script(ground.standin.endpoint_url, cell.region)
    early, late = Window(EARLY), Window(LATE_QUICK if quick else LATE)
    traces = {model: _trace(model, script) for model in TIERS}
    onboard("pool")  # the fourth
    _fill(early, traces, script)
    onboard_many([_model(number) for number in range(early.numbers.stop, late.numbers.start)], FILLERS)
    _fill(late, traces, script)
    return _result(ground, early, late)


def _model(number: int) -> str:
    return MIX[number % len(MIX)]


def _trace(model: str, script: Script) -> Trace:
    with recorded() as trace:
        onboarding = onboard(model)
    script.replay(trace.of(onboarding))
    return trace


def _fill(window: Window, traces: dict[str, Trace], script: Script) -> None:
    for number in window.numbers:
        model = _model(number)
        window.pairs.append(Pair(model, onboard(model), script.replay(traces[model])))


def _result(ground: Ground, early: Window, late: Window) -> Result:
    last = f"{late.numbers.start + 10:,}th"
    result = Result("growth", f"The {last} tenant against the 10th", ground.database)
    table = Table("Mixed, one worker", ("what", f"tenants {early}", f"tenants {late}", "ratio", "ratio by CPU"))
    ratios = {what: _ratios(early, late, take) for what, take in ROWS}
    for what, take in ROWS:
        wall, cpu = ratios[what]
        table.rows.append((what, _words(early, take), _words(late, take), f"{wall:.2f}", f"{cpu:.2f}"))
    own = [window.typical(lambda pair: pair.engine.whole.cpu - pair.bare.spent.cpu) for window in (early, late)]
    table.rows.append(("the product's own CPU", f"{own[0] * 1000:.0f} ms", f"{own[1] * 1000:.0f} ms", "", f"{own[1] / own[0]:.2f}"))
    result.tables += [table, _growing_calls(early, late)]
    whole, bare = ratios["onboarding"], ratios["the bare boto3 calls beside it"]
    note = f"by CPU, the stand-in's included; on the wall {whole[0]:.2f}; the bare boto3 calls alone {bare[1]:.2f}, on the wall {bare[0]:.2f}"
    result.goals.append(Goal(f"onboarding: the {last} tenant over the 10th", whole[1], LIMIT, note))
    note = "CPU of this process, less what the bare calls take of it"
    result.goals.append(Goal("the same, the product's own part", own[1] / own[0], LIMIT, note))
    result.notes.append(
        f"{late.numbers.stop - 1:,} mixed tenants; those in the two windows one after another by one worker, each followed by the bare "
        f"calls of its model, the others by {FILLERS} workers in between. Times are medians by model, weighted by the mix. The bare calls "
        "show what the stand-in itself has become. The windows lie minutes apart, so the machine's mood is in their wall times; CPU is what "
        "they are held to."
    )
    return result


def _growing_calls(early: Window, late: Window) -> Table:
    """The calls whose time in the stand-in (on its CPU) grew most, by what they add to an onboarding of the mix."""

    def spent(window: Window, name: str) -> float:
        return window.typical(lambda pair: sum(one.parts for call, one in pair.bare.each if call == name))

    names = {name for pair in early.pairs for name, _ in pair.bare.each}
    grown = sorted(((name, spent(early, name), spent(late, name)) for name in names), key=lambda row: row[1] - row[2])[:SHOWN]
    columns = ("call", f"tenants {early}", f"tenants {late}", "ratio")
    table = Table("Calls that grew most in the stand-in: CPU ms an onboarding", columns)
    for name, first, second in grown:
        table.rows.append((name, f"{first * 1000:.2f}", f"{second * 1000:.2f}", f"{second / first:.1f}" if first else ""))
    return table


def _ratios(early: Window, late: Window, take: Callable[[Pair], Spent]) -> tuple[float, float]:
    wall = late.typical(lambda pair: take(pair).wall) / early.typical(lambda pair: take(pair).wall)
    cpu = late.typical(lambda pair: take(pair).all_cpu) / early.typical(lambda pair: take(pair).all_cpu)
    return wall, cpu


def _words(window: Window, take: Callable[[Pair], Spent]) -> str:
    wall, cpu = window.typical(lambda pair: take(pair).wall), window.typical(lambda pair: take(pair).all_cpu)
    return f"{wall * 1000:.0f} ms ({cpu * 1000:.0f} ms CPU)"
