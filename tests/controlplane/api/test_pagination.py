"""Pages by key: whole, without doubles, at one price, and with cursors that nobody can make up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from provisioning.models import Operation
from tenants.models import Cell, Tenant, Tier
from tests.controlplane.api.machine import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(cell: Cell, tiers: dict[str, Tier]) -> Callable[[int], None]:
    def fill(number: int, *, start: int = 0) -> None:
        rows = [
            Tenant(
                slug=f"t{index:06d}",
                skeleton=f"t{index:06d}",
                name=f"Tenant {index}",
                tier=tiers["basic" if index % 4 else "premium"],
                cell=cell,
                admin_email="a@example.com",
                state="active" if index % 10 else "suspended",
                state_changed_at=timezone.now(),
            )
            for index in range(start, start + number)
        ]
        Tenant.objects.bulk_create(rows, batch_size=500)
        Operation.objects.bulk_create(
            [Operation(kind="onboard", tenant=row, state="succeeded", actor="system:t", created_at=timezone.now()) for row in rows],
            batch_size=500,
        )

    return fill


def walk(api: Machine, path: str) -> list[str]:
    """Every id of a list, page by page, by the cursor."""
    found: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"{path}&cursor={cursor}" if cursor else path)
        assert page.status == 200
        found += [item["id"] for item in page.body["items"]]
        cursor = page.body["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("ordering", ["id", "-id", "slug", "-slug"])
@pytest.mark.parametrize("limit", [1, 7, 23, 24])
def test_pages_are_whole_and_in_order(api: Machine, many: Callable[[int], None], ordering: str, limit: int) -> None:
    many(23)
    expected = list(Tenant.objects.order_by(ordering).values_list("pk", flat=True))
    assert walk(api, f"tenants?limit={limit}&ordering={ordering}") == expected


def test_what_comes_and_goes_meanwhile_neither_doubles_nor_hides(api: Machine, many: Any) -> None:
    many(30)
    first = api.get("tenants?limit=10&ordering=slug")
    many(5, start=100)
    Tenant.objects.filter(slug="t000009").update(slug="renamed")
    Operation.objects.filter(tenant__slug="t000015").delete()
    Tenant.objects.filter(slug="t000015").delete()
    rest = api.get(f"tenants?limit=200&ordering=slug&cursor={first.body['next']}")
    slugs = [item["slug"] for item in first.body["items"] + rest.body["items"]]
    kept = [f"t{number:06d}" for number in range(30) if number not in (9, 15)]
    assert [slug for slug in slugs if slug in kept] == kept
    assert "t000015" not in slugs


def test_filters_go_along(api: Machine, many: Any) -> None:
    many(40)
    expected = set(Tenant.objects.filter(tier_id="premium", state="active").values_list("pk", flat=True))
    found = walk(api, "tenants?limit=3&tier=premium&state=active")
    assert set(found) == expected
    assert len(found) == len(expected)


def test_the_next_page_is_linked(api: Machine, many: Any) -> None:
    many(5)
    page = api.get("tenants?limit=2&state=active")
    address, relation = page.headers["Link"].split("; ")
    assert relation == 'rel="next"'
    following = api.get(address.strip("<>"))
    assert following.body["next"] is None
    assert "Link" not in following.headers


def test_a_cursor_belongs_to_its_list(api: Machine, many: Any, acme: Tenant) -> None:
    many(5)
    cursor = api.get("tenants?limit=2").body["next"]
    for other in (
        "tenants?limit=2&state=active&",
        "tenants?limit=2&ordering=id&",
        "operations?limit=2&",
        "tenants/acme/operations?",
    ):
        answer = api.get(f"{other}cursor={cursor}")
        assert (answer.status, answer.body["errors"][0]["parameter"]) == (422, "cursor"), other
    assert api.get(f"tenants?limit=3&cursor={cursor}").status == 200


@pytest.mark.parametrize("text", ["a", "a:b", "eyJ9:sig", "%F0%9F%8D%8B", ":", "W10:x"])
def test_nobody_makes_a_cursor_up(api: Machine, text: str) -> None:
    assert api.get(f"tenants?cursor={text}").status == 422


def test_a_cursor_signed_for_something_else_is_refused(api: Machine, many: Any) -> None:
    many(3)
    cursor = api.get("tenants?limit=2").body["next"]
    payload = signing.Signer(salt="controlplane.api.cursor.tenants").unsign_object(cursor)
    assert api.get(f"tenants?cursor={signing.dumps(payload)}").status == 422
    assert api.get(f"tenants?cursor={cursor[:-1]}{'a' if cursor[-1] != 'a' else 'b'}").status == 422


def plan_of(api: Machine, path: str) -> list[str]:
    """What the database did for one page: the statements, without their values."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert api.get(path).status == 200
    return [query["sql"] for query in captured.captured_queries]


PRICED = ("tenants?limit=50", "tenants?limit=50&state=active", "tenants?limit=50&ordering=slug", "operations?limit=50")


@pytest.mark.parametrize("path", PRICED)
def test_a_page_never_counts_skips_or_sorts(api: Machine, many: Any, path: str) -> None:
    many(500)
    api.get("tiers")
    cursor = api.get(path).body["next"]
    with connection.cursor() as database:
        database.execute("ANALYZE")
    for address in (path, f"{path}&cursor={cursor}"):
        statements = plan_of(api, address)
        assert len(statements) == 2
        assert "COUNT(" not in statements[1]
        assert "OFFSET" not in statements[1]
        if connection.vendor == "sqlite":
            with connection.cursor() as database:
                database.execute(f"EXPLAIN QUERY PLAN {statements[1]}")
                steps = [row[3] for row in database.fetchall()]
            assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.long
def test_a_page_costs_the_same_at_20000_tenants_as_at_200(api: Machine, many: Any) -> None:
    """The best of forty; on the embedded database, which works inside this thread, by processor time, so that others count little."""
    clock = time.thread_time if connection.vendor == "sqlite" else time.perf_counter

    def best_ms(path: str) -> float:
        times = []
        for _ in range(40):
            started = clock()
            assert api.get(path).status == 200
            times.append(clock() - started)
        return min(times) * 1000

    paths = [
        *PRICED,
        "tenants?limit=50&tier=premium",
        "operations?limit=50&state=succeeded",
        "tenants?limit=50&isolation_model=silo",
        "operations?limit=50&kind=onboard",
    ]
    many(200)
    small = {path: best_ms(path) for path in paths}
    many(19_800, start=200)
    with connection.cursor() as database:
        database.execute("ANALYZE")
    large = {path: best_ms(path) for path in paths}
    ratios = {path: large[path] / small[path] for path in paths}
    for path in paths:
        print(f"{path:<40} {small[path]:6.1f} ms at 200, {large[path]:6.1f} ms at 20,000: {ratios[path]:.2f}")
    if connection.vendor == "sqlite":  # elsewhere the clock also counts the server's other work: the table is for people to read
        assert max(ratios.values()) <= 1.5, ratios
