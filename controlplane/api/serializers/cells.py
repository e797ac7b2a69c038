"""Cells."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import BY_CODE, names_of
from controlplane.api.serializers.pages import PageQuery, page_of
from tenants.models import CellState


class QuotaShape(serializers.Serializer[Any]):
    """One of AWS's quotas in the cell's account, and how much of it is in use."""

    name = serializers.CharField()
    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    percent = serializers.IntegerField()


@extend_schema_serializer(component_name="CellSummary")
class CellSummaryShape(serializers.Serializer[Any]):
    """A place where tenants live."""

    id = serializers.CharField()
    code = serializers.CharField()
    environment = serializers.CharField()
    partition = serializers.CharField()
    region = serializers.CharField()
    account_id = serializers.CharField()
    state = serializers.ChoiceField(choices=CellState.choices)
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="Cell")
class CellShape(CellSummaryShape):
    """A place where tenants live, with the use of each quota that it names."""

    quotas = QuotaShape(many=True)


class CellQuery(PageQuery):
    """How to list cells."""

    state = serializers.ChoiceField(choices=CellState.choices, required=False)
    ordering = serializers.ChoiceField(choices=names_of(BY_CODE), default="code")


CellPage = page_of(CellSummaryShape, "CellPage")
