"""The portal's pages for a tenant with thousands of keys, hundreds of people and a long log, against a small one's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.test import Client

from bench import worlds
from bench.ground import Ground
from bench.portal_rows import Size, fill
from bench.result import Result
from bench.worlds import REPEATS, Page
from tenants.keys.models import ApiKey
from tenants.members.models import Member
from tests.controlplane.portal.people import signed_in

FEW, MANY, QUICK = Size(5, 5, 5), Size(5_000, 500, 20_000), Size(200, 50, 500)
NEIGHBOUR = Size(50, 20, 200)
SLUG = "acme"
ROUNDS = 3


@dataclass(slots=True)
class World(worlds.World):
    """One database with a tenant of that size and a neighbour, and its first owner's browser."""

    of: Size = FEW
    owner: Client = field(default_factory=Client)
    key: ApiKey = field(default_factory=ApiKey)
    member: Member = field(default_factory=Member)


def measure(ground: Ground, *, quick: bool) -> Result:
    """Fill two databases, then ask for each page in both, a few times each, over and over."""
    big = QUICK if quick else MANY
    few, many = (World(name, size.keys, f"{size.keys:,} keys", of=size) for name, size in (("small", FEW), ("big", big)))
    result = Result("portal", f"The portal at {big.keys:,} keys, {big.members:,} members, {big.events:,} entries", ground.database)
    rounds = 2 if quick else ROUNDS
    with worlds.world(few, _fill), worlds.world(many, _fill):
        worlds.compare(result, PAGES, few, many, rounds=rounds, by_cpu=True)
    result.notes.append(
        f"Two databases. One tenant has {big.keys:,} keys with two versions each, called in every hour of two days, {big.members:,} "
        f"members and {big.events:,} entries in its log; the other has {FEW.keys} of each. Both have a neighbour. Asked in turn by Django's "
        f"test client, signed in as an owner: {REPEATS} times, then the other, {rounds * REPEATS} times in all. The first piece of the proof's "
        "file is what its receiver waits for; walking the chain and the whole file grow with the log by their nature, and are shown and not promised."
    )
    return result


def _fill(world: World) -> None:
    tenant = fill(SLUG, world.of)
    fill("globex", NEIGHBOUR)
    world.key = ApiKey.objects.filter(tenant=tenant, state="active").order_by("pk")[1]
    owner, world.member = Member.objects.filter(tenant=tenant, state="active").order_by("pk")[:2]
    world.owner = signed_in(owner)
    world.owner.defaults["SERVER_NAME"] = "localhost"


def _get(path: str) -> Callable[[World], Any]:
    return lambda world: world.owner.get(f"/portal/{SLUG}/{path}")


def _key(path: str = "") -> Callable[[World], Any]:
    return lambda world: world.owner.get(f"/portal/{SLUG}/keys/{world.key.pk}/{path}")


def _find(give: Callable[[ApiKey], str]) -> Callable[[World], Any]:
    return lambda world: world.owner.get(f"/portal/{SLUG}/keys/", {"q": give(world.key)})


def _member(world: World) -> Any:
    return world.owner.get(f"/portal/{SLUG}/members/{world.member.pk}/")


def _older(world: World) -> Any:
    """The page that begins in the middle of the log."""
    return world.owner.get(f"/portal/{SLUG}/activity/", {"before": max(4, world.of.events // 2)})


def _walk(world: World) -> Any:
    """The chain walked anew, without the pause that a page keeps."""
    cache.clear()
    return world.owner.post(f"/portal/{SLUG}/activity/proof/")


def _first_piece(world: World) -> Any:
    answer = world.owner.get(f"/portal/{SLUG}/activity/proof.json")
    pieces = iter(answer.streaming_content)  # type: ignore[attr-defined]  # a streaming answer's
    next(pieces), next(pieces)
    answer.close()
    return answer


def _whole_file(world: World) -> Any:
    answer = world.owner.get(f"/portal/{SLUG}/activity/proof.json")
    for _ in answer.streaming_content:  # type: ignore[attr-defined]  # a streaming answer's
        pass
    return answer


PAGES: tuple[Page[World], ...] = (
    Page("home", "portal", _get("")),
    Page("keys", "portal", _get("keys/")),
    Page("keys, second page", "portal", _get("keys/?page=2")),
    Page("keys, last page", "portal", _get("keys/?page=9999")),
    Page("keys that are active", "portal", _get("keys/?state=active")),
    Page("keys for production", "portal", _get("keys/?environment=live")),
    Page("keys for production that are active", "portal", _get("keys/?state=active&environment=live")),
    Page("keys that have expired", "portal", _get("keys/?state=expired"), promised=False),
    Page("keys by a common name", "portal", _get("keys/?q=e")),
    Page("keys by name, none", "portal", _get("keys/?q=nothing")),
    Page("keys by visible start", "portal", _find(lambda key: f"cpk_live_{key.public_id[:6]}")),
    Page("keys by id", "portal", _find(lambda key: key.pk)),
    Page("one key", "portal", _key()),
    Page("rotate a key", "portal", _key("rotate/")),
    Page("issue a key", "portal", _get("keys/issue/")),
    Page("usage", "portal", _get("usage/")),
    Page("usage of yesterday", "portal", _get("usage/?day=yesterday")),
    Page("members", "portal", _get("members/")),
    Page("members, second page", "portal", _get("members/?page=2")),
    Page("members, searched", "portal", _get("members/?q=person")),
    Page("members who are invited", "portal", _get("members/?state=invited")),
    Page("one member", "portal", _member),
    Page("activity", "portal", _get("activity/")),
    Page("activity, from the middle", "portal", _older),
    Page("activity of keys", "portal", _get("activity/?what=key")),
    Page("activity of the tenant, rare", "portal", _get("activity/?what=tenant")),
    Page("activity by operators, rare", "portal", _get("activity/?who=operator")),
    Page("activity by hooks, none", "portal", _get("activity/?who=hook")),
    Page("the proof's page", "portal", _get("activity/proof/")),
    Page("the proof's file, first piece", "portal", _first_piece),
    Page("the proof's file, whole", "portal", _whole_file, promised=False),
    Page("walking the chain", "portal", _walk, promised=False),
    Page("API", "portal", _get("api/")),
)
