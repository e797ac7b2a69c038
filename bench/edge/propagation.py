"""From the commit until every one of four edge processes refuses: a key revoked, a tenant suspended, a quota lowered to nothing.

The whole product runs (database, worker, clock), and four edges beside it. Each edge is asked again and again, every few milliseconds, with
the key that the act is about; what counts is the first refusal after the last admission, at the edge that was last, from the moment at which
the database had committed. *told* is when Redis told of the change: what lies before is the worker's, what comes after is the edges'. A third
of the acts are undisturbed; before another third the edges' connections on which they hear are cut; before the rest Redis stops answering
for a quarter of a second (`CLIENT PAUSE`).
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from bench.edge.peers import own
from bench.edge.watching import Watch
from bench.result import Goal, Result, Table
from tenants.limits.board import CHANGED
from tests.services import HeldPort, Service

if TYPE_CHECKING:
    from bench.edge.subjects import Subject

EDGES, EACH, QUICK_EACH = 4, 102, 6
"""How many acts of each kind: a third of them under each disturbance."""
PAUSE_MS, GIVE_UP_SECONDS = 250, 15.0
GOAL_P99_MS, GOAL_WORST_MS = 100, 1_000
UNDISTURBED, CUT, PAUSED = "undisturbed", "edges' ears cut", f"Redis paused {PAUSE_MS} ms"
Times = dict[tuple[str, str], list[tuple[float, float]]]
"""By act and disturbance: milliseconds until Redis told, and until the last edge refused."""


@contextmanager
def edges(environment: dict[str, str]) -> Iterator[list[int]]:
    """Four edges of one process each, so that each can be asked; gives their ports."""
    with ExitStack() as stack:
        ports = []
        for number in range(EDGES):
            port = HeldPort()
            told = {**environment, **own.environment(port.number, environment["REDIS_URL"])}
            told["KEY_PEPPERS"] = environment.get("KEY_PEPPERS", "")
            service = Service(f"edge {number}", own.command(), told)
            stack.callback(service.stop)
            port.release()
            service.start()
            ports.append(port.number)
        yield ports


class Commits:
    """Notes when the database has committed first, since it was last asked to begin."""

    def __init__(self) -> None:
        from django.db import connections

        connection = connections["default"]
        self.at, self._commit = 0.0, connection._commit
        connection._commit = self._noted

    def _noted(self) -> None:
        self._commit()
        self.at = self.at or time.perf_counter()


class Told:
    """Notes when Redis tells of changes. It hears a pattern, by which :func:`disturb` knows it from an edge."""

    def __init__(self, url: str) -> None:
        self._told: list[tuple[float, bytes]] = []
        self._heard = redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
        self._heard.psubscribe(**{CHANGED: lambda message: self._told.append((time.perf_counter(), message["data"]))})
        self._thread = self._heard.run_in_thread(sleep_time=0.5, daemon=True)

    def stop(self) -> None:
        self._thread.stop()
        self._thread.join()
        self._heard.close()

    def after(self, moment: float, names: Sequence[bytes]) -> float:
        """Give the first since then about a record of one of these names; infinite where there was none."""
        give_up_at = time.perf_counter() + 1  # what an edge has heard already may be on its way here
        while time.perf_counter() < give_up_at:
            found = [at for at, record in list(self._told) if at > moment and record.endswith(tuple(names))]
            if found:
                return found[0]
            time.sleep(0.01)
        return math.inf


@contextmanager
def closing_told(url: str) -> Iterator[Told]:
    told = Told(url)
    try:
        yield told
    finally:
        told.stop()


def disturb(client: redis.Redis, how: str) -> None:
    if how == CUT:
        for one in client.client_list(_type="pubsub"):
            if one["psub"] == "0":  # the worker's own hear patterns
                client.client_kill_filter(_id=one["id"])
    elif how == PAUSED:
        client.execute_command("CLIENT", "PAUSE", PAUSE_MS, "ALL")


def take(
    act: Callable[[], None], subject: Subject, status: int, ports: list[int], commits: Commits, before: Callable[[], None]
) -> float:
    """Do one act and give the milliseconds until the last edge refused; infinite where one went on admitting."""
    watch = Watch(ports, own.Ours.path, subject.text, status=status, seconds=GIVE_UP_SECONDS)
    watch.begin()
    before()
    commits.at = 0.0
    act()
    sights = watch.end()
    if not all(sight.refused_at for sight in sights):
        return math.inf
    return max(0.0, *(sight.refused_at - commits.at for sight in sights)) * 1e3


def measure_all(environment: dict[str, str], each: int) -> Times:
    """Take each act so often, one after the other, in turn under each disturbance."""
    from bench.edge import subjects
    from tenants.limits import projecting

    acts = subjects.ACTS
    many, times, commits = subjects.make(len(acts) * each), {}, Commits()
    projecting.refresh_tenants(subjects.tenants_of(many))
    projecting.refresh_versions(subjects.versions_of(many))
    projecting.ensure()
    url = environment["REDIS_URL"]
    with edges(environment) as ports, redis.Redis.from_url(url) as client, closing_told(url) as told:
        for place, subject in enumerate(many):
            name, act, status = acts[place % len(acts)]
            how = (UNDISTURBED, CUT, PAUSED)[place // len(acts) % 3]
            took = take(
                lambda act=act, subject=subject: act(subject), subject, status, ports, commits, lambda how=how: disturb(client, how)
            )
            heard = (told.after(commits.at, subject.names) - commits.at) * 1e3
            times.setdefault((name, how), []).append((heard, took))
    return times


def measure(ground: object, *, quick: bool) -> Result:
    """As a part of ``make bench-edge``, on a whole stack of its own."""
    from controlplane.embedded.stack import running

    result = Result("propagation", "From the commit to the last of four edges", "SQLite, Valkey")
    if why := own.Ours.why_not():
        result.notes.append(f"Not measured: {why}.")
        return result
    with tempfile.TemporaryDirectory(prefix="controlplane-bench-") as folder, running(Path(folder) / "state") as stack:
        os.environ.update(stack.environment, CONTROLPLANE_LOG_LEVEL="ERROR")
        import django

        django.setup()
        times = measure_all(stack.environment, QUICK_EACH if quick else EACH)
    columns = ("what", "", "times", "told: p50", "p99", "worst", "refused by all: p50", "p99", "worst")
    table = Table("Milliseconds from the commit until Redis told, and until the last edge refused", columns)
    for (name, how), some in sorted(times.items()):
        numbers = [*_spread([told for told, _ in some]), *_spread([took for _, took in some])]
        table.rows.append((name, how, f"{len(some)}", *(f"{value:,.1f}" for value in numbers)))
    result.tables.append(table)
    calm = [took for (_, how), some in times.items() for _, took in some if how == UNDISTURBED]
    result.goals.append(
        Goal("a change seen by every edge, p99, ms", _spread(calm)[1], GOAL_P99_MS, f"undisturbed, {len(calm)} changes")
    )
    worst = max(took for some in times.values() for _, took in some)
    result.goals.append(Goal("a change seen by every edge, worst, ms", worst, GOAL_WORST_MS, "pauses and cuts included"))
    result.notes.append(f"*inf*: an edge went on admitting for {GIVE_UP_SECONDS:.0f} s, when it was no longer asked.")
    result.notes.append((__doc__ or "").partition("\n\n")[2].replace("\n", " ").strip())
    return result


def _spread(some: list[float]) -> tuple[float, float, float]:
    return statistics.median(some), sorted(some)[max(0, round(0.99 * len(some)) - 1)], max(some)
