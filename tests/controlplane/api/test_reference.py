"""The reference pages are what the code says, the schema is valid, and no path is without a rule."""

from __future__ import annotations

import inspect
from io import StringIO
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.validation import validate_schema

from controlplane.api import catalogue, problems
from controlplane.api.management.commands.api_docs import PAGES
from controlplane.api.scopes import Scope
from controlplane.api.views import base
from core.errors import DomainError

RULES = {
    ("GET", "/api/v1/tiers"): "tiers:read",
    ("POST", "/api/v1/tiers"): "tiers:write",
    ("GET", "/api/v1/tiers/{tier}"): "tiers:read",
    ("PATCH", "/api/v1/tiers/{tier}"): "tiers:write",
    ("POST", "/api/v1/tiers/{tier}:retire"): "tiers:write",
    ("GET", "/api/v1/cells"): "cells:read",
    ("GET", "/api/v1/cells/{cell}"): "cells:read",
    ("GET", "/api/v1/tenants"): "tenants:read",
    ("POST", "/api/v1/tenants"): "tenants:write",
    ("GET", "/api/v1/tenants/{tenant}"): "tenants:read",
    ("PATCH", "/api/v1/tenants/{tenant}"): "tenants:write",
    ("GET", "/api/v1/tenants/{tenant}/operations"): "operations:read",
    ("GET", "/api/v1/tenants/{tenant}/resources"): "tenants:read",
    ("GET", "/api/v1/tenants/{tenant}/events"): "audit:read",
    ("POST", "/api/v1/tenants/{tenant}:suspend"): "tenants:write",
    ("POST", "/api/v1/tenants/{tenant}:resume"): "tenants:write",
    ("POST", "/api/v1/tenants/{tenant}:change-tier"): "tenants:write",
    ("POST", "/api/v1/tenants/{tenant}:offboard"): "tenants:write",
    ("POST", "/api/v1/tenants/{tenant}:undo-offboard"): "tenants:write",
    ("POST", "/api/v1/tenants/{tenant}:repair"): "tenants:write",
    ("GET", "/api/v1/tenants/{tenant}/administrator"): "tenants:read",
    ("POST", "/api/v1/tenants/{tenant}/administrator:invite-again"): "tenants:write",
    ("GET", "/api/v1/tenants/{tenant}/keys"): "keys:read",
    ("POST", "/api/v1/tenants/{tenant}/keys"): "keys:write",
    ("POST", "/api/v1/tenants/{tenant}/keys:import"): "keys:write",
    ("GET", "/api/v1/tenants/{tenant}/keys/{key}"): "keys:read",
    ("PATCH", "/api/v1/tenants/{tenant}/keys/{key}"): "keys:write",
    ("GET", "/api/v1/tenants/{tenant}/keys/{key}/versions"): "keys:read",
    ("POST", "/api/v1/tenants/{tenant}/keys/{key}:rotate"): "keys:write",
    ("POST", "/api/v1/tenants/{tenant}/keys/{key}:revoke"): "keys:write",
    ("POST", "/api/v1/tenants/{tenant}/keys/{key}:disable"): "keys:write",
    ("POST", "/api/v1/tenants/{tenant}/keys/{key}:enable"): "keys:write",
    ("POST", "/api/v1/tenants/{tenant}/keys/{key}:retire-previous"): "keys:write",
    ("GET", "/api/v1/tenants/{tenant}/key-policy"): "keys:read",
    ("PATCH", "/api/v1/tenants/{tenant}/key-policy"): "keys:write",
    ("GET", "/api/v1/tenants/{tenant}/keys/{key}/limits"): "limits:read",
    ("PATCH", "/api/v1/tenants/{tenant}/keys/{key}/limits"): "limits:write",
    ("GET", "/api/v1/tenants/{tenant}/limits"): "limits:read",
    ("GET", "/api/v1/tenants/{tenant}/limits/overrides"): "limits:read",
    ("POST", "/api/v1/tenants/{tenant}/limits/overrides"): "limits:write",
    ("GET", "/api/v1/tenants/{tenant}/limits/overrides/{override}"): "limits:read",
    ("POST", "/api/v1/tenants/{tenant}/limits/overrides/{override}:revoke"): "limits:write",
    ("GET", "/api/v1/keys"): "keys:read",
    ("POST", "/api/v1/keys:verify"): "keys:verify",
    ("GET", "/api/v1/operations"): "operations:read",
    ("GET", "/api/v1/operations/{operation}"): "operations:read",
    ("GET", "/api/v1/operations/{operation}/stream"): "operations:read",
    ("POST", "/api/v1/operations/{operation}:retry"): "operations:write",
    ("POST", "/api/v1/operations/{operation}:abandon"): "operations:write",
}
"""Written by hand, on purpose: a new path fails here until somebody has said who may use it."""

NOT_OF_KEYS = ("keys:import", "/limits")
OF_KEYS = {rule for rule in RULES if rule[1].startswith("/api/v1/tenants/{tenant}/keys") and not rule[1].endswith(NOT_OF_KEYS)}
"""What a tenant's own key may use. Its limits are what others hold it to."""


def test_every_path_has_its_rule_and_none_has_another() -> None:
    assert {(rule.method, rule.path): str(rule.scope) for rule in catalogue.list_rules()} == RULES


def test_only_paths_of_a_tenants_keys_are_open_to_keys() -> None:
    from controlplane.api.urls import urlpatterns

    views: dict[str, Any] = {str(pattern.name): pattern.callback.view_class for pattern in urlpatterns}  # type: ignore[union-attr]
    opened = {(rule.method, rule.path) for rule in catalogue.list_rules() if rule.method in views[rule.name].open_to_keys}
    assert opened == OF_KEYS


def test_every_scope_opens_something() -> None:
    assert set(RULES.values()) == {str(scope) for scope in Scope}


def test_every_view_stands_on_the_one_base_and_none_loosens_it() -> None:
    from controlplane.api.urls import urlpatterns

    for pattern in urlpatterns:
        view: Any = pattern.callback.view_class  # type: ignore[union-attr]
        assert issubclass(view, base.ApiView), view
        for name in ("authentication_classes", "permission_classes", "parser_classes", "throttle_classes", "initial", "dispatch"):
            assert inspect.getattr_static(view, name) is inspect.getattr_static(base.ApiView, name), (view, name)


def test_methods_and_rules_agree() -> None:
    from controlplane.api.urls import urlpatterns

    for pattern in urlpatterns:
        view: Any = pattern.callback.view_class  # type: ignore[union-attr]
        written = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        assert written == set(view.scopes), view


def test_the_edges_problems_are_explained_where_their_types_point() -> None:
    page = (settings.BASE_DIR / "docs/problems.md").read_text()
    kinds = catalogue.edge_kinds()
    assert len(kinds) >= 17
    for kind in kinds:
        section = page.partition(f"\n## {kind.slug}\n")[2].partition("\n## ")[0]
        assert section.strip().startswith(f"**{kind.status} {kind.title}.**"), kind.slug
        assert section.strip().endswith(kind.explanation), kind.slug
        assert kind.explanation or "edge" not in section, kind.slug


def test_a_kind_that_api_and_edge_share_is_one_kind() -> None:
    for package in catalogue.SEARCHED:
        catalogue._import_all(package)
    of_api = {error.code: (error.title, error.status) for error in problems.subclasses_of(DomainError) if "code" in vars(error)}
    shared = {kind.slug: (kind.title, kind.status) for kind in catalogue.edge_kinds() if kind.slug in of_api}
    assert len(shared) >= 12
    assert shared == {slug: of_api[slug] for slug in shared}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    assert (settings.BASE_DIR / name).read_text() == PAGES[name](), f"run manage.py api_docs: {name} is out of date"


def test_the_command_agrees() -> None:
    call_command("api_docs", "--check", stdout=StringIO())


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((settings.BASE_DIR / "docs/openapi.yaml").read_text())
    return loaded


def test_the_schema_is_valid_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1.")
    validate_schema(schema)


def test_the_schema_has_every_path_with_its_scope_and_its_problems(schema: dict[str, Any]) -> None:
    seen = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            rule = (method.upper(), path)
            seen[rule] = operation["security"][0]["operatorToken"][0]
            assert operation["security"][1:] == ([{"tenantKey": [seen[rule]]}] if rule in OF_KEYS else [])
            assert {"401", "403", "500"} <= set(operation["responses"]), (method, path)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)
            headers = {item["name"] for item in operation["parameters"] if item["in"] == "header"}
            assert ("Idempotency-Key" in headers) == (method == "post" and not path.endswith("keys:verify"))
            assert ("If-Match" in headers) == (method == "patch")
    assert seen == RULES


def test_shapes_of_requests_refuse_unknown_fields(schema: dict[str, Any]) -> None:
    asked = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for methods in schema["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    }
    assert len(asked) >= 7
    assert all(schema["components"]["schemas"][name]["additionalProperties"] is False for name in asked)


def test_the_schema_is_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())
    assert "Warning" not in capsys.readouterr().err
