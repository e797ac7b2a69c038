"""Filters above the lists: one select each, no counts (a count a choice would be a query a choice)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from controlplane.console import words
from core.actors import ActorKind
from provisioning.models import OperationKind, OperationState, ResourceState
from tenants.facts import IsolationModel
from tenants.lifecycle import TenantState
from tenants.models import Cell, Tier

Choices = Iterable[tuple[str, str]]


class SelectFilter(admin.SimpleListFilter):
    """A filter by one field; :func:`select` makes the classes."""

    template = "console/_filter.html"
    field = ""
    options: Callable[[], Choices]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Give the choices, read when the page is made."""
        return list(type(self).options())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with the chosen value; an unknown value keeps none."""
        value = self.value()
        return queryset.filter(**{self.field: value}) if value else queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Give the options of the select."""
        yield {"value": "", "display": "All", "selected": not self.value()}
        for value, title in self.lookup_choices:
            yield {"value": value, "display": title, "selected": self.value() == str(value)}


def select(parameter: str, field: str, options: Callable[[], Choices]) -> type[SelectFilter]:
    """Make a filter: the parameter in the address is its title too, ``field`` is the lookup."""
    values = {"title": parameter, "parameter_name": parameter, "field": field, "options": staticmethod(options)}
    return type(f"{parameter.title()}Filter", (SelectFilter,), values)


def _plain(values: Iterable[Any]) -> Choices:
    return [(str(value), words.plain(str(value))) for value in values]


TENANT_STATE = select("state", "state", lambda: _plain(TenantState))
TIER = select("tier", "tier_id", lambda: Tier.objects.values_list("code", "name"))
ISOLATION = select("isolation", "tier__isolation_model", lambda: _plain(IsolationModel))
CELL = select("cell", "cell__code", lambda: _plain(Cell.objects.values_list("code", flat=True)))
OPERATION_STATE = select("state", "state", lambda: _plain(OperationState.values))
OPERATION_KIND = select("kind", "kind", lambda: [(kind, words.operation_of(kind)) for kind in OperationKind.values])
RESOURCE_STATE = select("state", "state", lambda: _plain(ResourceState.values))
RESOURCE_KIND = select("kind", "kind", lambda: sorted(words.KINDS.items(), key=lambda pair: pair[1].lower()))
ACTOR_KIND = select("actor", "actor_kind", lambda: _plain(ActorKind))
OUTCOME = select("outcome", "outcome", lambda: _plain(("succeeded", "failed", "refused")))
