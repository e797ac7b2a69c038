"""Filters above the lists: one select each, no counts (a count a choice would be a query a choice)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.actors import ActorKind
from controlplane.console import words
from provisioning.models import OperationKind, OperationState, ResourceState
from tenants.facts import IsolationModel
from tenants.lifecycle import TenantState
from tenants.models import Cell, Tier


class SelectFilter(admin.SimpleListFilter):
    """A filter by one field. Subclasses say ``title``, ``parameter_name``, ``field`` and the choices."""

    template = "console/_filter.html"
    field = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with the chosen value; an unknown value keeps none."""
        value = self.value()
        return queryset.filter(**{self.field: value}) if value else queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Give the options of the select."""
        yield {"value": "", "display": "All", "selected": not self.value()}
        for value, title in self.lookup_choices:
            yield {"value": value, "display": title, "selected": self.value() == str(value)}


class TenantStateFilter(SelectFilter):
    title, parameter_name, field = "state", "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.value) for state in TenantState]


class TierFilter(SelectFilter):
    title, parameter_name, field = "tier", "tier", "tier_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Tier.objects.values_list("code", "name"))


class IsolationFilter(SelectFilter):
    title, parameter_name, field = "isolation", "isolation", "tier__isolation_model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(model.value, model.value) for model in IsolationModel]


class CellFilter(SelectFilter):
    title, parameter_name, field = "cell", "cell", "cell__code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, code) for code in Cell.objects.values_list("code", flat=True)]


class OperationStateFilter(SelectFilter):
    title, parameter_name, field = "state", "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(OperationState.choices)


class OperationKindFilter(SelectFilter):
    title, parameter_name, field = "kind", "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, words.operation_of(kind.value)) for kind in OperationKind]


class ResourceStateFilter(SelectFilter):
    title, parameter_name, field = "state", "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(ResourceState.choices)


class ResourceKindFilter(SelectFilter):
    title, parameter_name, field = "kind", "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(words.KINDS.items(), key=lambda pair: pair[1])


class ActorKindFilter(SelectFilter):
    title, parameter_name, field = "actor", "actor", "actor_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, kind.value) for kind in ActorKind]


class OutcomeFilter(SelectFilter):
    title, parameter_name, field = "outcome", "outcome", "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in ("succeeded", "failed", "refused")]
