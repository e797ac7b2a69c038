"""Two databases of different size, asked in turn for the same pages: what a page costs, and whether that grows with what is behind it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.clock import Spent, timed, watch
from bench.result import Goal, Result, Table

LIMIT = 1.5
REPEATS, WARM_UPS = 5, 2
GOOD = (200, 202, 302)


@dataclass(slots=True)
class World:
    """One database. ``size`` is how many there are of what the pages list, ``label`` says so to people; who asks is in a subclass."""

    name: str
    size: int
    label: str


W = TypeVar("W", bound=World)


@dataclass(frozen=True, slots=True)
class Page(Generic[W]):
    """A page to ask for: ``ask`` gives the answer. ``promised`` says that the goal is about it."""

    what: str
    door: str
    ask: Callable[[W], Any]
    promised: bool = True


@dataclass(slots=True)
class Asked:
    """What a page took in one world."""

    spent: list[Spent] = field(default_factory=list)
    queries: int = 0

    @property
    def wall(self) -> float:
        return statistics.median(one.wall for one in self.spent)

    @property
    def cpu(self) -> float:
        return statistics.median(one.all_cpu for one in self.spent)


@contextmanager
def world(made: W, fill: Callable[[W], None]) -> Iterator[None]:
    """Clone the empty database and fill it; dropped at the end."""
    creation = connection.creation
    _leave()
    creation.clone_test_db(made.name, verbosity=0)
    try:
        _enter(made)
        fill(made)
        _refresh_statistics()
        yield
    finally:
        _leave()
        creation.destroy_test_db(suffix=made.name, verbosity=0)


def compare(result: Result, pages: Sequence[Page[W]], few: W, many: W, *, rounds: int, by_cpu: bool = False) -> None:
    """Ask for each page in both worlds, a few times each, over and over; write the table and the goals into ``result``.

    The goals are about the wall or, ``by_cpu``, about the CPU that this process and its database's server spend: on an idle machine the two
    say the same of pages that wait for nothing else, on a busy one the wall says how busy it is.
    """
    table = Table("Medians", ("page", "queries", f"ms at {few.label}", f"ms at {many.label}", "ratio", "ratio by CPU"))
    for page in pages:
        at_few, at_many = _ask_in_turn(page, few, many, rounds=rounds)
        ratio, cpu_ratio = at_many.wall / at_few.wall, at_many.cpu / at_few.cpu
        queries = str(at_few.queries) if at_few.queries == at_many.queries else f"**{at_few.queries}, {at_many.queries}**"
        numbers = (f"{at_few.wall * 1000:.1f}", f"{at_many.wall * 1000:.1f}", f"{ratio:.2f}", f"{cpu_ratio:.2f}")
        table.rows.append((f"{page.door}: {page.what}", queries, *numbers))
        what = f"{page.door}, {page.what}"
        if page.promised:
            other = f"on the wall {ratio:.2f}" if by_cpu else f"by CPU {cpu_ratio:.2f}"
            note = f"n = {len(at_few.spent)} each; {other}; {queries} queries at both"
            result.goals.append(Goal(f"{what}: {many.label} over {few.label}", cpu_ratio if by_cpu else ratio, LIMIT, note))
        if page.promised and at_few.queries != at_many.queries:
            result.goals.append(Goal(f"{what}: queries, more over fewer", at_many.queries / at_few.queries, 1.0))
    result.tables.append(table)


def _ask_in_turn(page: Page[W], few: W, many: W, *, rounds: int) -> tuple[Asked, Asked]:
    asked = {few.name: Asked(), many.name: Asked()}
    for number in range(rounds):
        for one in (few, many) if number % 2 else (many, few):
            _enter(one)
            _ask(page, one, asked[one.name])
    return asked[few.name], asked[many.name]


def _ask(page: Page[W], one: W, asked: Asked) -> None:
    for _ in range(WARM_UPS):
        page.ask(one)
    with CaptureQueriesContext(connection) as captured:
        answer = page.ask(one)
    if answer.status_code not in GOOD:
        raise RuntimeError(f"{page.door}, {page.what}: {answer.status_code}")
    asked.queries = len(captured)
    for _ in range(REPEATS):
        with timed() as spent:
            page.ask(one)
        asked.spent.append(spent)


_plain: dict[str, Any] = {}


def _enter(one: World) -> None:
    _leave()
    _plain.update(connection.settings_dict)
    connection.settings_dict.update(connection.creation.get_test_db_clone_settings(one.name))
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        watch(connection.connection.info.backend_pid)  # counts where the server is on this machine


def _leave() -> None:
    connection.close()
    if _plain:
        connection.settings_dict.update(_plain)
        _plain.clear()


def _refresh_statistics() -> None:
    """What autovacuum does on PostgreSQL before long. Nobody does it on SQLite, which therefore plans by rules."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
