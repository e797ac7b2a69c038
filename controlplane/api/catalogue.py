"""What the reference pages are made of: the problems of API and edge, and the API's paths with the scopes that they need. Read from the code."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass

from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from controlplane.api import problems
from controlplane.api.scopes import Scope
from controlplane.edge import problems as edge
from core.errors import DomainError

SEARCHED = ("core", "tenants", "provisioning", "controlplane.api")
NOT_ANSWERED = ("core.aws", "provisioning.resources")
"""Errors from these end up in an operation's failed step and never in an answer: no request waits for AWS.

Of all others, those that are not the caller's doing (500 and above) are told as ``internal-error``."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem."""

    code: str
    title: str
    status: int
    explanation: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One method of one path, and the scope that it needs."""

    method: str
    path: str
    scope: Scope
    name: str


def list_kinds() -> list[Kind]:
    """Give every kind of problem that an answer may have, by status and code."""
    for package in SEARCHED:
        _import_all(package)
    found: dict[str, Kind] = {}
    for error in problems.subclasses_of(DomainError):
        ours = error.__module__.startswith("controlplane.api") or (error.status < 500 and error.__module__.startswith(SEARCHED))
        ours = ours or error in problems.UNAVAILABLE
        if ours and not error.__module__.startswith(NOT_ANSWERED) and "code" in vars(error):
            found.setdefault(error.code, Kind(error.code, error.title, error.status, _plain(inspect.getdoc(error) or "")))
    for kind in edge_kinds():
        explained = f"At the [edge](edge.md): {kind.explanation}" if kind.explanation else ""
        of_api = found[kind.slug].explanation if kind.slug in found else ""
        found[kind.slug] = Kind(kind.slug, kind.title, kind.status, f"{of_api} {explained}".strip())
    return sorted(found.values(), key=lambda kind: (kind.status, kind.code))


def edge_kinds() -> list[edge.Kind]:
    """Give every kind of problem of the admission edge."""
    return [kind for kind in vars(edge).values() if isinstance(kind, edge.Kind)]


def list_rules() -> list[Rule]:
    """Give every method of every path with its scope, in the order of the URL conf; the catch-all is not one."""
    from controlplane.api.urls import urlpatterns  # noqa: PLC0415  # the URL conf imports the views, which import the schema

    rules = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
        if view is None:
            raise LookupError(f"{pattern} is no view of the API")
        path = "/api/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        rules += [Rule(method, path, scope, str(pattern.name)) for method, scope in view.scopes.items()]
    return rules


def openapi_yaml() -> str:
    """Give the OpenAPI document."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # the library's
    return bytes(OpenApiYamlRenderer().render(schema, renderer_context={})).decode()  # type: ignore[no-untyped-call]  # the library's


def problems_markdown() -> str:
    """Give ``docs/problems.md``."""
    lines = [
        "# Problems",
        "",
        "Every error of the API and of the admission edge is a problem document (RFC 9457, `application/problem+json`) with `type`, `title`,",
        "`status`, `detail`, `instance` (not at the edge: a path may hold a key), `request_id` and, where fields are at fault, `errors`.",
        "`type` is the address of this page with the kind's name after the `#`; match on it and on `status`, not on words. Each entry of",
        "`errors` has `detail` and either `pointer` (a JSON pointer into the body) or `parameter` (a name in the query), and `code` in the",
        "API's. Quote `request_id` when you ask about one: the logs are kept under it.",
        "",
        "This page is written by `manage.py api_docs` from the code, and held to it by a test.",
        "",
        "| status | kind | title |",
        "|---|---|---|",
    ]
    kinds = list_kinds()
    lines += [f"| {kind.status} | [{kind.code}](#{kind.code}) | {kind.title} |" for kind in kinds]
    for kind in kinds:
        lines += ["", f"## {kind.code}", "", f"**{kind.status} {kind.title}.** {kind.explanation}"]
    return "\n".join(lines) + "\n"


def scopes_markdown() -> str:
    """Give ``docs/api-scopes.md``."""
    lines = [
        "# Scopes of the API",
        "",
        "Which scope a token needs for which method of which path. A caller who holds no scope of a noun (`tenants:...`) gets 404 for any",
        "one thing of it, whether it exists or not; one who may see it and lacks the scope for an act gets 403 with the scope's name. HEAD",
        "is GET. Every other method is 405, every other path 404, and everything is 401 without a valid token.",
        "",
        "This page is written by `manage.py api_docs` from the code, and held to it by a test.",
        "",
        "| method | path | scope |",
        "|---|---|---|",
    ]
    return "\n".join(lines + [f"| {rule.method} | `{rule.path}` | `{rule.scope}` |" for rule in list_rules()]) + "\n"


def _import_all(package: str) -> None:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if ".migrations" not in module.name and ".management" not in module.name:
            importlib.import_module(module.name)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()
