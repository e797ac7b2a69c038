"""Lists at many tenants against few: two databases, asked in turn through the whole of Django by an operator and by a token."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.clock import Spent, timed
from bench.ground import Ground
from bench.result import Goal, Result, Table
from bench.rows import fill
from controlplane.api.scopes import Scope
from controlplane.api.services import issue_token
from controlplane.console.access import Role, seed_groups
from core.actors import system
from tests.controlplane.console.people import account, signed_in

FEW, MANY = 200, 20_000
LIMIT = 1.5
API = "/api/v1"
ROUNDS, REPEATS, WARM_UPS = 8, 5, 2


@dataclass(slots=True)
class World:
    """One database with its tenants, and clients with a session and a token of its own."""

    name: str
    tenants: int
    operator: Client = field(default_factory=Client)
    machine: Client = field(default_factory=Client)


@dataclass(frozen=True, slots=True)
class Page:
    """A page to ask for. ``promised`` says that the goal is about it."""

    what: str
    door: str
    path: Callable[[World], str]
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
        return statistics.median(one.cpu for one in self.spent)


def measure(ground: Ground, *, quick: bool) -> Result:
    """Fill two databases, then ask for each page in both, a few times each, over and over."""
    few, many = (World(f"of{number}", number) for number in (FEW, 2_000 if quick else MANY))
    result = Result("lists", f"Lists at {many.tenants:,} tenants against {few.tenants}", ground.database)
    with _world(few), _world(many):
        rounds = 2 if quick else ROUNDS
        table = Table("Medians", ("page", "queries", f"ms at {few.tenants}", f"ms at {many.tenants:,}", "ratio", "ratio by CPU"))
        for page in PAGES:
            at_few, at_many = _ask_in_turn(page, few, many, rounds=rounds)
            ratio, by_cpu = at_many.wall / at_few.wall, at_many.cpu / at_few.cpu
            queries = str(at_few.queries) if at_few.queries == at_many.queries else f"**{at_few.queries}, {at_many.queries}**"
            numbers = (f"{at_few.wall * 1000:.1f}", f"{at_many.wall * 1000:.1f}", f"{ratio:.2f}", f"{by_cpu:.2f}")
            table.rows.append((f"{page.door}: {page.what}", queries, *numbers))
            if page.promised:
                note = f"n = {len(at_few.spent)} each; by CPU {by_cpu:.2f}; {queries} queries at both"
                result.goals.append(
                    Goal(f"{page.door}, {page.what}: {many.tenants:,} over {few.tenants} tenants", ratio, LIMIT, note)
                )
            if at_few.queries != at_many.queries:
                result.goals.append(
                    Goal(f"{page.door}, {page.what}: queries, more over fewer tenants", at_many.queries / at_few.queries, 1.0)
                )
        result.tables.append(table)
    result.notes.append(
        f"Two databases, one with {few.tenants} and one with {many.tenants:,} tenants (each with an operation, seven steps and seven "
        f"ledger rows), asked in turn by Django's test client: {REPEATS} times, then the other, {rounds * REPEATS} times in all. The "
        "operator has a session with both factors, the machine a token. A search reads every name, so it is shown and not promised."
    )
    return result


@contextmanager
def _world(world: World) -> Iterator[None]:
    """Clone the empty database, fill it and sign both clients in; dropped at the end."""
    creation = connection.creation
    _leave()
    creation.clone_test_db(world.name, verbosity=0)
    try:
        _enter(world)
        fill(world.tenants)
        _refresh_statistics()
        seed_groups()
        people: User = account("olga", Role.OPERATOR.value)
        world.operator = signed_in(people)
        token = issue_token(actor=system("bench"), label="bench", scopes=list(Scope), lifetime=timedelta(days=1))
        world.machine = Client(headers={"Authorization": f"Bearer {token.text}"})
        for client in (world.operator, world.machine):
            client.defaults["SERVER_NAME"] = "localhost"
        yield
    finally:
        _leave()
        creation.destroy_test_db(suffix=world.name, verbosity=0)


_plain: dict[str, Any] = {}


def _enter(world: World) -> None:
    _leave()
    _plain.update(connection.settings_dict)
    connection.settings_dict.update(connection.creation.get_test_db_clone_settings(world.name))


def _leave() -> None:
    connection.close()
    if _plain:
        connection.settings_dict.update(_plain)
        _plain.clear()


def _refresh_statistics() -> None:
    """What autovacuum does on PostgreSQL before long, and ``PRAGMA optimize`` would on SQLite."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _ask_in_turn(page: Page, few: World, many: World, *, rounds: int) -> tuple[Asked, Asked]:
    asked = {few.name: Asked(), many.name: Asked()}
    for number in range(rounds):
        for world in (few, many) if number % 2 else (many, few):
            _enter(world)
            _ask(page, world, asked[world.name])
    return asked[few.name], asked[many.name]


def _ask(page: Page, world: World, asked: Asked) -> None:
    client, path = (world.operator if page.door == "console" else world.machine), page.path(world)
    for _ in range(WARM_UPS):
        client.get(path)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answers {answer.status_code}")
    asked.queries = len(captured)
    for _ in range(REPEATS):
        with timed() as spent:
            client.get(path)
        asked.spent.append(spent)


def _at(path: str) -> Callable[[World], str]:
    return lambda _: path


def _middle_of_api(world: World) -> str:
    """The page that a cursor from the middle of the list gives."""
    from tenants.models import Tenant

    middle = Tenant.objects.order_by("pk")[world.tenants // 2].pk
    return _next(world, f"{API}/tenants", middle)


def _next(world: World, path: str, key: str) -> str:
    """Ask for the first page and put ``key`` where its cursor says that the page ended; the cursor is signed by the same signer."""
    from urllib.parse import quote

    from django.core import signing

    signer = signing.Signer(salt="controlplane.api.cursor.tenants")
    place = signer.unsign_object(world.machine.get(path).json()["next"])
    return f"{path}?cursor={quote(signer.sign_object([*place[:2], key]))}"


PAGES = (
    Page("tenants", "console", _at(reverse("admin:tenants_tenant_changelist"))),
    Page("tenants that are active", "console", _at(reverse("admin:tenants_tenant_changelist") + "?state=active")),
    Page("operations", "console", _at(reverse("admin:provisioning_operation_changelist"))),
    Page("overview", "console", _at(reverse("admin:index")), promised=False),
    Page("tenants, searched", "console", _at(reverse("admin:tenants_tenant_changelist") + "?q=customer-199"), promised=False),
    Page("tenants", "API", _at(f"{API}/tenants")),
    Page("tenants of a tier", "API", _at(f"{API}/tenants?tier=standard")),
    Page("tenants, from the middle", "API", _middle_of_api),
    Page("operations", "API", _at(f"{API}/operations")),
)
