"""Quiet tenants over HTTP, with and without a flood beside them: their latency, and whether one of them is refused.

Twenty quiet tenants ask 200 times a second together, open loop: each request counts from the moment at which it was due. The flood is one tenant
far above its limit, fifty connections that ask again as soon as they are answered. Both clients are on one core, the quiet one before the other
where the system allows it; server and Redis are on another. ``python -m bench.edge.neighbours`` runs it by itself and draws
``docs/pictures/neighbours.svg``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.edge.cast import make_cast
from bench.edge.load import CONNECTIONS
from bench.edge.machine import cores, missing, on_core
from bench.edge.peers.all import LIMIT_REQ, LUA, OURS, PEERS
from bench.edge.peers.peer import HEADER, ROOT, Peer, Store
from bench.fairness_picture import Panel, draw
from bench.result import Goal, Result, Table
from tests.services import LOOPBACK

QUIET, RATE = 20, 200.0
ROUNDS, SECONDS, QUICK_SECONDS = 5, 5.0, 2.0
FLOOD_AFTER = 0.5
GOAL_TIMES = 1.25
SHOWN, SHOWN_SECONDS, BIN = (OURS, LUA, LIMIT_REQ), 30, 0.5
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "neighbours.svg"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the quiet tenants had of one run: moments and latencies in milliseconds, how many were not admitted, and the flood's requests/s."""

    due: list[float]
    latencies: list[float]
    refused: int
    flood: float = 0.0

    @property
    def p50(self) -> float:
        return statistics.median(self.latencies)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.latencies, n=100)[98]


@contextmanager
def flooding(peer: Peer, core: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Have the loud tenant ask for so long."""
    url = f"http://{LOOPBACK}:{peer.port.number}{peer.path}"
    key = f"{HEADER}: {peer.key_of(peer.cast.loud)}"
    command = on_core(core, ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-H", key, url])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def listen(peer: Peer, core: int, seconds: float, *, flood: tuple[float, float] | None = None) -> Heard:
    """Have the quiet tenants ask for so long; ``flood`` is when the loud one begins and for how long, in seconds."""
    with TemporaryDirectory(prefix="controlplane-bench-") as folder:
        output = Path(folder) / "lines"
        keys = [peer.key_of(caller) for caller in peer.cast.many[:QUIET]]
        words = [str(peer.port.number), peer.path, str(seconds), str(RATE), str(output), *keys]
        command = on_core(core, [sys.executable, "-m", "bench.edge.quiet", *words])
        with subprocess.Popen(command, cwd=ROOT) as quiet:
            try:
                told = _flood(peer, core, quiet, *flood) if flood else ""
                if quiet.wait(seconds + 60):
                    raise RuntimeError("the quiet client failed")
            finally:
                if quiet.poll() is None:
                    quiet.kill()
        lines = [line.split() for line in output.read_text().splitlines()]
    rate = float(told.partition("Requests/sec:")[2].split()[0]) if told else 0.0
    refused = sum(status not in ("200", "204") for _, _, status in lines)
    return Heard([float(due) for due, _, _ in lines], [float(latency) for _, latency, _ in lines], refused, rate)


def _flood(peer: Peer, core: int, quiet: subprocess.Popen[bytes], after: float, seconds: float) -> str:
    try:
        quiet.wait(after)
    except subprocess.TimeoutExpired:
        with flooding(peer, core, seconds) as process:
            return process.communicate(timeout=seconds + 60)[0]
    raise RuntimeError("the quiet client ended early")


def compare(peer: Peer, core: int, *, rounds: int, seconds: float) -> tuple[list[Heard], list[Heard]]:
    """Listen with and without a flood, in turn. The flood begins before the first of the requests that count, and ends after the last."""
    listen(peer, core, 1.0)
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(listen(peer, core, seconds))
        heard = listen(peer, core, seconds + 2 * FLOOD_AFTER + 1, flood=(0.0, seconds + 2 * FLOOD_AFTER + 2))
        beside.append(_between(heard, FLOOD_AFTER + 0.5, FLOOD_AFTER + 0.5 + seconds))
    return alone, beside


def _between(heard: Heard, since: float, until: float) -> Heard:
    """Keep what was due then; refusals count whenever they came."""
    kept = [(due, latency) for due, latency in zip(heard.due, heard.latencies, strict=True) if since <= due < until]
    return Heard([due for due, _ in kept], [latency for _, latency in kept], heard.refused, heard.flood)


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench-edge``, in a Redis of its own."""
    columns = (
        "server",
        "alone: p50 ms",
        "p99 ms",
        "beside a flood: p50 ms",
        "p99 ms",
        "p99, times",
        "quiet refused",
        "flood's requests/s",
    )
    table = Table("Quiet tenants", columns)
    result = Result("neighbours", "Quiet tenants beside a flood, over HTTP", "Valkey", [table])
    if gone := missing("wrk", "taskset"):
        result.notes.append(f"Not measured; not installed: {', '.join(gone)}.")
        return result
    for peer, client in _standing(SHOWN):
        alone, beside = compare(peer, client, rounds=1 if quick else ROUNDS, seconds=QUICK_SECONDS if quick else SECONDS)
        times, refused = _middle(beside, "p99") / _middle(alone, "p99"), sum(heard.refused for heard in beside)
        cells = [_middle(heard, name) for heard in (alone, beside) for name in ("p50", "p99")]
        numbers = (f"{times:.2f}", f"{refused:,}", f"{_middle(beside, 'flood'):,.0f}")
        table.rows.append((peer.name, *(f"{cell:.2f}" for cell in cells), *numbers))
        if peer.name == OURS:
            result.goals.append(
                Goal("a quiet tenant's p99 beside a flood, times its p99 alone", times, GOAL_TIMES, "over HTTP, medians")
            )
            result.goals.append(Goal("requests of quiet tenants refused beside a flood", refused, 0))
    result.notes.append((__doc__ or "").partition("\n\n")[2].replace("\n", " ").strip())
    return result


def _middle(runs: list[Heard], name: str) -> float:
    return statistics.median(getattr(heard, name) for heard in runs)


def _standing(names: tuple[str, ...]) -> Iterator[tuple[Peer, int]]:
    """Start those that can be had, one at a time, with the core of the client."""
    client, server = cores()
    cast, store = make_cast(), Store(server)
    store.start()
    try:
        for name in names:
            if not PEERS[name].why_not():
                peer = PEERS[name](name, server, cast, store)
                try:
                    peer.start()
                    yield peer, client
                finally:
                    peer.stop()
    finally:
        store.stop()


def picture(heard: dict[str, Heard]) -> str:
    """Draw the quiet tenants' latency over time, with the flood in the middle third."""
    panels = []
    for name, one in heard.items():
        bins: list[list[float]] = [[] for _ in range(int(SHOWN_SECONDS / BIN))]
        for due, latency in zip(one.due, one.latencies, strict=True):
            bins[min(int(due / BIN), len(bins) - 1)].append(latency)
        middles = [statistics.median(some) if some else 0.0 for some in bins]
        worst = [statistics.quantiles(some, n=50)[48] if len(some) > 1 else 0.0 for some in bins]
        panels.append(Panel(name.strip("*"), [middles, worst]))
    top = 5.0  # what a busy machine adds now and then is cut off
    what = "Latency of quiet tenants, ms; one floods from 10 s to 20 s"
    return draw(panels, names=("median", "98 % are below"), seconds=SHOWN_SECONDS, top=top, what=what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    third = SHOWN_SECONDS / 3
    heard = {peer.name: listen(peer, client, SHOWN_SECONDS, flood=(third, third)) for peer, client in _standing(SHOWN)}
    options.output.write_text(picture(heard))
    print(f"drawn: {options.output}")


if __name__ == "__main__":
    main()
