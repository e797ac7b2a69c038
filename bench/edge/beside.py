"""The edge beside its peers: the same callers, the same client, one after the other in alternating rounds; one server process on one core each."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.edge.cast import Cast, make_cast, zipf
from bench.edge.load import CONNECTIONS, Load, Seen, run
from bench.edge.machine import cores, missing
from bench.edge.peers.all import DRF, HAPROXY, LIMIT_REQ, LUA, OURS, PEERS
from bench.edge.peers.peer import Peer, Store
from bench.result import Goal, Result, Table

ROUNDS, SECONDS, WARM_SECONDS = 5, 3.0, 1.0
COLUMNS = (
    "server",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU us a request",
    "Redis us",
    "client busy",
    "core had",
    "what is not the same",
)
GOALS = (
    (DRF, 100, "DRF + API key + throttle, times 100"),
    (LUA, 5, "nginx + Lua + Redis, times 5"),
    (HAPROXY, 1, "HAProxy's stick table"),
    (LIMIT_REQ, 0.8, "nginx limit_req, times 0.8"),
)
PUBLISHED = """
Go's `envoyproxy/ratelimit`, which Envoy asks over gRPC, is not measured here. What its project has published: one `DoLimit` without pipelining
takes 9.1 us of time in its own Go benchmark, on four cores, gRPC and HTTP not included (github.com/envoyproxy/ratelimit/pull/163); at 500
requests a second on a Redis cluster its answers take 1.61 ms on average and 4.96 ms at p99 (github.com/envoyproxy/ratelimit/pull/1041). Envoy's
own work for such a request comes on top.
"""

Runs = dict[tuple[str, str], list[Seen]]


def loads(cast: Cast) -> list[Load]:
    return [
        Load("busy", "One busy tenant, far below its limit", cast.many[:1]),
        Load("zipf", f"{len(cast.many):,} tenants by Zipf's law, far below their limits", cast.many, zipf(len(cast.many))),
        Load("unlike", "One busy tenant of which no two requests are alike", cast.many[:1], is_unlike=True, only=OURS),
        Load("loud", "One tenant far above its limit: nearly all answers are refusals", (cast.loud,), is_refused=True),
    ]


@contextmanager
def standing(cast: Cast, core: int) -> Iterator[tuple[Store, list[Peer], dict[str, str]]]:
    """Start every peer that can be had, all on one core, where they idle until it is their turn; say why the others cannot."""
    with ExitStack() as stack:
        store, peers, absent = Store(core), [], {}
        stack.callback(store.stop)
        store.start()
        for name, kind in PEERS.items():
            if why := kind.why_not():
                absent[name] = why
                continue
            peer = kind(name, core, cast, store)
            stack.callback(peer.stop)
            peer.start()
            peers.append(peer)
        yield store, peers, absent


def ask_in_turn(store: Store, peers: list[Peer], asked: list[Load], core: int, *, rounds: int, seconds: float) -> Runs:
    """Warm everybody up, then load one after the other, round by round, every other round backwards."""
    runs: Runs = {}
    assert store.process is not None
    with TemporaryDirectory(prefix="controlplane-bench-") as folder:
        for turn in range(rounds + 1):
            for load in asked:
                for place, peer in enumerate(peers if turn % 2 else peers[::-1]):
                    if load.only not in ("", peer.name):
                        continue
                    script = Path(folder) / f"{load.name}-{place}.lua"
                    load.write(script, peer)
                    long = seconds if turn else WARM_SECONDS
                    seen = run(load, peer, long, script=script, core=core, redis=store.process.pid)
                    if turn:
                        _check(load, peer, seen)
                        runs.setdefault((load.name, peer.name), []).append(seen)
    return runs


def _check(load: Load, peer: Peer, seen: Seen) -> None:
    """Raise RuntimeError where somebody was refused who should not be: then what was measured is something else."""
    if peer.is_limiting and not (seen.refused > 0.8 if load.is_refused else seen.refused == 0):
        raise RuntimeError(f"{peer.name} refused {seen.refused:.1%} of the load {load.name!r}")


def row(peer: Peer, runs: list[Seen]) -> tuple[str, ...]:
    middle = {name: statistics.median(getattr(one, name) for one in runs) for name in Seen.__slots__}
    return (
        peer.name,
        f"{middle['requests_per_second']:,.0f}",
        f"{middle['p50']:.2f}",
        f"{middle['p99']:.2f}",
        f"{middle['server_us']:,.1f}",
        f"{middle['redis_us']:.1f}" if middle["redis_us"] >= 0.1 else "0",
        f"{middle['client']:.0%}",
        f"{middle['core']:.0%}",
        peer.does,
    )


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench-edge``; it needs none of the parts of ``make bench``."""
    result = Result("beside", "The admission edge beside its peers", "Valkey, SQLite for Django")
    if gone := missing("wrk", "taskset"):
        result.notes.append(f"Not measured; not installed: {', '.join(gone)}.")
        return result
    client, server = cores()
    cast = make_cast()
    asked, rounds, seconds = loads(cast), 1 if quick else ROUNDS, 1.0 if quick else SECONDS
    with standing(cast, server) as (store, peers, absent):
        runs = ask_in_turn(store, peers, asked, client, rounds=rounds, seconds=seconds)
    for load in asked:
        table = Table(load.title, COLUMNS, [row(peer, seen) for peer in peers if (seen := runs.get((load.name, peer.name)))])
        result.tables.append(table)
    result.goals += goals(runs)
    result.notes += _notes(rounds, seconds, absent)
    return result


def goals(runs: Runs) -> Iterator[Goal]:
    """Ratios under the busy load, where ours and the peer were measured: by throughput, and by what a core could answer if it did nothing else."""

    def speed(name: str) -> float:
        return statistics.median(one.requests_per_second for one in runs["busy", name])

    def of_a_core(name: str) -> float:
        return 1 / statistics.median(one.server_us + one.redis_us for one in runs["busy", name])

    for name, times, what in GOALS:
        if ("busy", OURS) in runs and ("busy", name) in runs:
            yield Goal(f"{what}: requests/s, over ours", times * speed(name) / speed(OURS), 1.0, "one busy tenant, medians")
            note = "one busy tenant; CPU of server and Redis together, medians"
            yield Goal(f"{what}: requests a second of CPU, over ours", times * of_a_core(name) / of_a_core(OURS), 1.0, note)


def _notes(rounds: int, seconds: float, absent: dict[str, str]) -> list[str]:
    how = (
        f"Medians of {rounds} alternating rounds of {seconds:.0f} s each. wrk with {CONNECTIONS} connections on one core; each server, one "
        "process of it at work, with Redis (over a Unix socket) on another. CPU is that of the server's processes, the kernel's part "
        "included, Redis apart. Where the client was busy for all of its core, the server could have answered more, and only CPU a request "
        "compares. *core had* is how much of their core server and Redis were given: far below 100 % the machine was busy with something "
        "else, or the client was. Servers that share nothing keep counters of their own: two of them let twice as much through."
    )
    return [how, PUBLISHED.strip().replace("\n", " "), *(f"{name} is left out: {why}." for name, why in absent.items())]
