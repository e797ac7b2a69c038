"""Audit events."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controlplane.api.serializers.pages import PageQuery, page_of


@extend_schema_serializer(component_name="Event")
class EventShape(serializers.Serializer[Any]):
    """Who did what, to whom, why, and how it ended."""

    id = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    action = serializers.CharField(help_text="noun.participle")
    actor = serializers.CharField(help_text="Kind and id: `operator:tok_...`.")
    actor_label = serializers.CharField()
    target = serializers.CharField()
    reason = serializers.CharField()
    outcome = serializers.CharField()
    details = serializers.DictField()
    correlation_id = serializers.CharField(help_text="The operation that it belongs to.")
    sequence = serializers.IntegerField(
        source="tenant_sequence", allow_null=True, help_text="Its place in the tenant's chain; null until sealed."
    )
    hash = serializers.CharField(source="tenant_hash", help_text="The tenant's chain up to here; empty until sealed.")


class EventQuery(PageQuery):
    """How to list a tenant's audit events, newest first."""

    action = serializers.CharField(max_length=100, required=False, help_text="An action, or all of a noun: `operation.*`.")
    actor = serializers.CharField(max_length=255, required=False, help_text="An actor's id, or `kind:id`.")
    outcome = serializers.CharField(max_length=32, required=False)
    since = serializers.DateTimeField(required=False, help_text="This moment or later.")
    until = serializers.DateTimeField(required=False, help_text="Before this moment.")
    ordering = serializers.ChoiceField(choices=["-position"], default="-position")


EventPage = page_of(EventShape, "EventPage")
