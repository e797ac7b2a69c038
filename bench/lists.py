"""Lists at many tenants against few: two databases, asked in turn through the whole of Django by an operator and by a token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from django.urls import reverse

from bench import worlds
from bench.ground import Ground
from bench.result import Result
from bench.rows import fill
from bench.worlds import REPEATS, Page
from controlplane.api.scopes import Scope
from controlplane.api.services import issue_token
from controlplane.console.access import Role, seed_groups
from core.actors import system
from tenants.models import Tenant
from tests.controlplane.console.people import account, signed_in

FEW, MANY = 200, 20_000
API = "/api/v1"
ROUNDS = 5


@dataclass(slots=True)
class World(worlds.World):
    """One database with so many tenants, and clients with a session and a token of its own."""

    operator: Client = field(default_factory=Client)
    machine: Client = field(default_factory=Client)
    cursor: str = ""


def measure(ground: Ground, *, quick: bool) -> Result:
    """Fill two databases, then ask for each page in both, a few times each, over and over."""
    few, many = (World(f"of{number}", number, f"{number:,} tenants") for number in (FEW, 1_000 if quick else MANY))
    result = Result("lists", f"Lists at {many.label} against {few.label}", ground.database)
    rounds = 2 if quick else ROUNDS
    with worlds.world(few, _fill), worlds.world(many, _fill):
        worlds.compare(result, PAGES, few, many, rounds=rounds)
    result.notes.append(
        f"Two databases, one with {few.label} and one with {many.label} (each with an operation, seven steps and seven "
        f"ledger rows), asked in turn by Django's test client: {REPEATS} times, then the other, {rounds * REPEATS} times in all. The "
        "operator has a session with both factors, the machine a token. The overview counts everything, a search reads every name and a "
        "request to onboard counts what the cell's quotas leave: these are shown and not promised."
    )
    return result


def _fill(world: World) -> None:
    """Write the tenants, and sign both clients in."""
    fill(world.size)
    seed_groups()
    people: User = account("olga", Role.OPERATOR.value)
    world.operator = signed_in(people)
    token = issue_token(actor=system("bench"), label="bench", scopes=list(Scope), lifetime=timedelta(days=1))
    world.machine = Client(headers={"Authorization": f"Bearer {token.text}"})
    for client in (world.operator, world.machine):
        client.defaults["SERVER_NAME"] = "localhost"


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
        middle = Tenant.objects.order_by("pk").values_list("pk", flat=True)[world.size // 2]
        world.cursor = quote(signer.sign_object([ordering, digest, middle]))
    return world.machine.get(f"{API}/tenants?cursor={world.cursor}")


def _onboard(world: World) -> Any:
    """A request to onboard, as far as the caller waits for it. The tenant that it writes stays, which changes nothing at this size."""
    slug = f"{secrets.token_hex(8)}-new"
    body = {"slug": slug, "name": slug, "tier": "basic", "admin_email": f"admin@{slug}.example"}
    return world.machine.post(f"{API}/tenants", body, content_type="application/json", headers={"Idempotency-Key": slug})


TENANTS, OPERATIONS = "tenants_tenant_changelist", "provisioning_operation_changelist"
PAGES: tuple[Page[World], ...] = (
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
