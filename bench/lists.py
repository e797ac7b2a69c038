"""Lists at many tenants against few: two databases, asked in turn through the whole of Django by an operator and by a token."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.contrib.auth.models import User
from django.core import signing
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
from tenants.models import Tenant
from tests.controlplane.console.people import account, signed_in

FEW, MANY = 200, 20_000
LIMIT = 1.5
API = "/api/v1"
ROUNDS, REPEATS, WARM_UPS = 5, 5, 2


@dataclass(slots=True)
class World:
    """One database with its tenants, and clients with a session and a token of its own."""

    name: str
    tenants: int
    operator: Client = field(default_factory=Client)
    machine: Client = field(default_factory=Client)
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page to ask for. ``promised`` says that the goal is about it."""

    what: str
    door: str
    ask: Callable[[World], Any]
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
    few, many = (World(f"of{number}", number) for number in (FEW, 1_000 if quick else MANY))
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
        "operator has a session with both factors, the machine a token. The overview counts everything, a search reads every name and a "
        "request to onboard counts what the cell's quotas leave: these are shown and not promised."
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
    """What autovacuum does on PostgreSQL before long. Nobody does it on SQLite, which therefore plans by rules."""
    if connection.vendor == "postgresql":
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
    for _ in range(WARM_UPS):
        page.ask(world)
    with CaptureQueriesContext(connection) as captured:
        answer = page.ask(world)
    if answer.status_code not in (200, 202):
        raise RuntimeError(f"{page.door}, {page.what}: {answer.status_code}")
    asked.queries = len(captured)
    for _ in range(REPEATS):
        with timed() as spent:
            page.ask(world)
        asked.spent.append(spent)


def _console(name: str, query: str = "") -> Callable[[World], Any]:
    path = reverse(f"admin:{name}") + query
    return lambda world: world.operator.get(path)


def _api(path: str) -> Callable[[World], Any]:
    return lambda world: world.machine.get(f"{API}/{path}")


def _from_the_middle(world: World) -> Any:
    """The page behind a cursor in the middle of the list."""
    if not world.cursor:
        # A cursor says where its page ended; the same signer signs one that ends in the middle.
        signer = signing.Signer(salt="controlplane.api.cursor.tenants")
        ordering, digest, _ = signer.unsign_object(world.machine.get(f"{API}/tenants").json()["next"])
        middle = Tenant.objects.order_by("pk").values_list("pk", flat=True)[world.tenants // 2]
        world.cursor = quote(signer.sign_object([ordering, digest, middle]))
    return world.machine.get(f"{API}/tenants?cursor={world.cursor}")


def _onboard(world: World) -> Any:
    """A request to onboard, as far as the caller waits for it. The tenant that it writes stays, which changes nothing at this size."""
    slug = f"{secrets.token_hex(8)}-new"
    body = {"slug": slug, "name": slug, "tier": "basic", "admin_email": f"admin@{slug}.example"}
    return world.machine.post(f"{API}/tenants", body, content_type="application/json", headers={"Idempotency-Key": slug})


TENANTS, OPERATIONS = "tenants_tenant_changelist", "provisioning_operation_changelist"
PAGES = (
    Page("tenants", "console", _console(TENANTS)),
    Page("tenants that are active", "console", _console(TENANTS, "?state=active")),
    Page("operations", "console", _console(OPERATIONS)),
    Page("overview", "console", _console("index"), promised=False),
    Page("tenants, searched", "console", _console(TENANTS, "?q=customer-199"), promised=False),
    Page("tenants", "API", _api("tenants")),
    Page("tenants of a tier", "API", _api("tenants?tier=standard")),
    Page("tenants, from the middle", "API", _from_the_middle),
    Page("operations", "API", _api("operations")),
    Page("a request to onboard", "API", _onboard, promised=False),
)
