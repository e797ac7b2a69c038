"""What a decision costs inside a process, with a warm lease: nanoseconds of CPU, and objects made. No HTTP, and Redis only between the bursts.

A lease holds a thousand tokens for a moment, so it is asked in bursts: one question that goes to Redis and draws, then as many as what
was drawn allows, and only those are timed. The thread's CPU clock is used, which a busy machine disturbs little.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence

from bench.edge.cast import Caller, make_cast
from bench.edge.machine import cores
from bench.edge.peers.own import PEPPER, fill
from bench.edge.peers.peer import Store
from bench.result import Goal, Result, Table
from controlplane.edge.asking import Ask, Judging, Verdict

BURST, BURSTS, QUICK_BURSTS, WARM_DRAWS = 500, 400, 40, 24
GOAL_US = 1.5
PATIENCE = 20
MANY = 200
"""More than these cannot draw on a busy machine before the first of their leases has lapsed."""
Asking = Callable[[Judging, Caller], Verdict | None]


def ask_anew(judge: Judging, caller: Caller) -> Verdict | None:
    """As a door does it: each request is a question of its own."""
    return judge.ask(Ask(caller.text.encode()))


def ask_with_lines(judge: Judging, caller: Caller) -> Verdict | None:
    """As a door that tells the limits in its answer."""
    verdict = judge.ask(Ask(caller.text.encode()))
    if verdict is not None and verdict.limiting is not None:
        _ = verdict.limiting.lines
    return verdict


async def nanoseconds(judge: Judging, asking: Asking, callers: Sequence[Caller], bursts: int) -> float:
    """Give the median of bursts, each the nanoseconds of CPU of one decision. The loop around it is in it."""
    found, burst = [], list(callers) if len(callers) > 1 else [*callers] * BURST
    for turn in range(bursts + WARM_DRAWS):
        await draw(judge, callers)
        asked, begun = 0, time.thread_time_ns()
        for caller in burst:
            if asking(judge, caller) is None:
                break
            asked += 1
        spent = time.thread_time_ns() - begun
        if turn >= WARM_DRAWS and asked >= len(burst) // 2:
            found.append(spent / asked)
    if len(found) < bursts // 8:
        raise RuntimeError(f"only {len(found)} of {bursts} bursts found a warm lease")
    return statistics.median(found)


async def draw(judge: Judging, callers: Sequence[Caller]) -> None:
    """Have each caller's lease drawn, as requests of a moment do. Raises RuntimeError for one that is refused."""
    verdicts = await decide_all(judge, callers)
    for caller in callers if len(callers) == 1 else ():
        while judge.ask(Ask(caller.text.encode())) is not None:  # used up, so that the next draw is a larger one
            pass
        verdicts += await decide_all(judge, callers)
    for verdict in verdicts:
        if not verdict.is_admitted:
            raise RuntimeError(f"somebody with plenty was refused: {verdict.code} {verdict.trouble}")


async def decide_all(judge: Judging, callers: Sequence[Caller]) -> list[Verdict]:
    """Decide for all at once; again where a busy machine kept this process from hearing Redis."""
    for _ in range(PATIENCE):
        verdicts = await asyncio.gather(*(judge.decide(Ask(caller.text.encode())) for caller in callers))
        if not any(verdict.trouble for verdict in verdicts):
            return verdicts
        await asyncio.sleep(0.2)
    raise RuntimeError("the edge does not hear Redis")


async def objects(judge: Judging, caller: Caller) -> tuple[float, float, float]:
    """Give what a decision makes: blocks and bytes while its verdict is kept, and blocks that are left when it is dropped."""
    for _ in range(WARM_DRAWS):
        await draw(judge, [caller])
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        kept = keep(judge, caller)
        made = sys.getallocatedblocks() - before
        kept.clear()
        left = sys.getallocatedblocks() - before
        await draw(judge, [caller])
        tracemalloc.start()
        size = tracemalloc.get_traced_memory()[0]
        kept = keep(judge, caller)
        size = tracemalloc.get_traced_memory()[0] - size - sys.getsizeof(kept)
    finally:
        tracemalloc.stop()
        gc.enable()
    return made / BURST, size / BURST, left / BURST


def keep(judge: Judging, caller: Caller) -> list[Verdict | None]:
    """Ask in a burst and keep what was said. Raises RuntimeError when the lease was not warm."""
    question, kept = Ask(caller.text.encode()), [None] * BURST
    for place in range(BURST):
        kept[place] = judge.ask(question)  # type: ignore[call-overload]
    if None in kept:
        raise RuntimeError("the lease was not warm")
    return kept  # type: ignore[return-value]


async def measure_judge(url: str, *, quick: bool) -> Result:
    from controlplane.edge.edge import Edge

    cast, bursts = make_cast(), QUICK_BURSTS if quick else BURSTS
    fill(url, cast.everybody)
    edge = Edge(url, {1: PEPPER.encode()})
    if not await edge.open(within_seconds=10):
        raise RuntimeError("the edge did not find the projection")
    try:
        judge, one = edge.judge, cast.many[:1]
        question = Ask(one[0].text.encode())
        ways: list[tuple[str, Asking, Sequence[Caller]]] = [
            ("`Judge.ask`, the same question again", lambda judge, caller: judge.ask(question), one),
            ("... a question made anew", ask_anew, one),
            ("... and the header lines of the answer", ask_with_lines, one),
            (f"... a question made anew, {MANY} tenants in turn", ask_anew, cast.many[:MANY]),
        ]
        times = {name: await nanoseconds(judge, asking, callers, bursts) for name, asking, callers in ways}
        made, size, left = await objects(judge, one[0])
    finally:
        await edge.close()
    table = Table("A decision with a warm lease", ("", "ns of CPU"), [(name, f"{value:,.0f}") for name, value in times.items()])
    result = Result("inprocess", "A decision inside a process", "Valkey", [table])
    anew = times["... a question made anew"]
    result.goals.append(Goal("a decision with a warm lease, us", anew / 1e3, GOAL_US, "CPU; median of bursts"))
    result.notes.append(
        f"A decision makes {made:.1f} blocks of memory ({size:.0f} bytes) while its verdict is kept, and leaves {left:.3f} behind."
    )
    result.notes.append((__doc__ or "").partition("\n\n")[2].replace("\n", " ").strip())
    return result


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench-edge``, in a Redis of its own."""
    _, core = cores()
    store = Store(core)
    store.start()
    try:
        return asyncio.run(measure_judge(f"unix://{store.socket}?db=0", quick=quick))
    finally:
        store.stop()
