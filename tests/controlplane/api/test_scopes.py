"""Every method of every path, asked by the right one and by every wrong one. ASVS 5.0: 8.2.1, 8.3.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from controlplane.api.scopes import Scope, may_see, parse_scopes
from core.actors import system
from provisioning.models import Operation
from tenants.limits.services import set_override
from tenants.models import Tenant
from tests.controlplane.api.held import hold
from tests.controlplane.api.machine import Machine
from tests.controlplane.api.test_reference import RULES
from tests.tenants.members.world import new_member

pytestmark = pytest.mark.django_db
Make = Callable[..., Machine]

ONE = [(method, path) for method, path in RULES if "{" in path]
LISTS = [(method, path) for method, path in RULES if "{" not in path]
READ_OF = {
    "tenants": "tenants:read",
    "operations": "operations:read",
    "tiers": "tiers:read",
    "cells": "cells:read",
    "keys": "keys:read",
    "limits": "limits:read",
}


@pytest.fixture
def operation(acme: Tenant) -> Operation:
    return Operation.objects.create(kind="repair", tenant=acme, state="failed", actor="operator:ada", created_at=timezone.now())


@pytest.fixture
def there(acme: Tenant, operation: Operation) -> dict[str, str]:
    """Things that exist."""
    new_member(acme, "owner", email="admin@acme.example", state="invited", is_first=True)
    lifted = set_override(actor=system("tests"), tenant_id=acme.pk, limited="burst", value=99, reason="launch day")
    held = {"key": hold(acme).key.pk, "override": lifted.pk}
    return {"tenant": acme.slug, "tier": "basic", "cell": "dev-1", "operation": operation.pk, **held}


NOWHERE = {
    "tenant": "hooli",
    "tier": "gold",
    "cell": "dev-9",
    "operation": "op_00000000000000000000000000",
    "key": "key_00000000000000000000000000",
    "override": "ovr_00000000000000000000000000",
}


def comparable(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.body.items() if name not in ("instance", "request_id")}


@pytest.mark.parametrize(("method", "path"), RULES)
def test_who_has_no_other_scope_than_the_right_one_is_let_in(machine: Make, there: dict[str, str], method: str, path: str) -> None:
    answer = machine(RULES[method, path]).ask(method, path.format(**there), {} if method != "GET" else None)
    assert answer.status in ((200,) if method == "GET" else (400, 422, 428))


@pytest.mark.parametrize(("method", "path"), RULES)
def test_who_has_all_other_scopes_is_not(machine: Make, there: dict[str, str], method: str, path: str) -> None:
    needed = RULES[method, path]
    others = [scope for scope in Scope if scope != needed]
    answer = machine(*others).ask(method, path.format(**there), {} if method != "GET" else None)
    visible = "{" not in path or may_see(others, needed.partition(":")[0])
    assert answer.status == (403 if visible else 404)
    if visible:
        assert answer.body["type"].endswith("#insufficient-scope")
        assert needed in answer.body["detail"]


@pytest.mark.parametrize(("method", "path"), ONE)
def test_who_may_not_see_a_thing_cannot_tell_whether_it_exists(
    machine: Make, there: dict[str, str], method: str, path: str
) -> None:
    blind = machine(*[scope for scope in Scope if scope.noun != Scope(RULES[method, path]).noun or scope == Scope.KEYS_VERIFY])
    known, unknown = (blind.ask(method, path.format(**names), {} if method != "GET" else None) for names in (there, NOWHERE))
    assert known.status == unknown.status == 404
    assert comparable(known) == comparable(unknown)


@pytest.mark.parametrize(("method", "path"), [rule for rule in ONE if RULES[rule].endswith(":write")])
def test_a_missing_scope_is_told_only_of_things_that_exist(machine: Make, there: dict[str, str], method: str, path: str) -> None:
    reader = machine(READ_OF[Scope(RULES[method, path]).noun])
    assert reader.ask(method, path.format(**there), {}).status == 403
    assert reader.ask(method, path.format(**NOWHERE), {}).status == 404


@pytest.mark.parametrize(("method", "path"), LISTS)
def test_a_list_says_which_scope_it_needs(machine: Make, cell: Any, method: str, path: str) -> None:
    needed = RULES[method, path]
    other = Scope.AUDIT_READ
    answer = machine(other).ask(method, path, {} if method != "GET" else None)
    assert answer.status == 403
    assert needed in answer.body["detail"]


@pytest.mark.parametrize("path", sorted({path for _, path in RULES}))
def test_other_methods_are_not_allowed(api: Machine, there: dict[str, str], path: str) -> None:
    known = {name for name, other in RULES if other == path}
    allowed = known | ({"HEAD"} if "GET" in known else set())
    for method in {"PUT", "DELETE", "OPTIONS", "TRACE", "BREW", "POST", "PATCH", "GET", "HEAD"} - allowed:
        answer = api.ask(method, path.format(**there))
        assert answer.status == 405, method
        assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["", "nowhere", "tenants/", "tenants/acme/", "tenants/acme:delete", "tenants/a/b/c", "operations/1", "../admin"]
)
def test_a_path_that_does_not_exist_is_404_with_credentials(api: Machine, acme: Tenant, path: str) -> None:
    answer = api.get(f"/api/v1/{path}")
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (404, "not-found")


def test_head_needs_the_scope_of_get(machine: Make, acme: Tenant) -> None:
    assert machine("tenants:read").ask("HEAD", "tenants/acme").status == 200
    assert machine("tiers:read").ask("HEAD", "tenants/acme").status == 404


def test_scopes_read_from_words() -> None:
    assert parse_scopes(["tiers:read", "tenants:read", "tiers:read"]) == (Scope.TENANTS_READ, Scope.TIERS_READ)
    assert parse_scopes(["*"]) == tuple(Scope)
    assert all(scope.endswith(":read") for scope in parse_scopes(["*:read"]))
    with pytest.raises(ValueError, match="everything"):
        parse_scopes(["everything"])
