"""The problem document, for the schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers


class ProblemFieldShape(serializers.Serializer[Any]):
    """What is wrong with one field of the body, or with one parameter of the query."""

    pointer = serializers.CharField(required=False, help_text="JSON pointer into the body (RFC 6901).")
    parameter = serializers.CharField(required=False, help_text="Name of a query parameter, instead of a pointer.")
    detail = serializers.CharField()
    code = serializers.CharField()


@extend_schema_serializer(component_name="Problem")
class ProblemShape(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.URLField(help_text="The kind of problem; the address explains it.")
    title = serializers.CharField(help_text="The kind in words; the same for all problems of a type.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened this time.")
    instance = serializers.CharField(help_text="The path that was asked for.")
    request_id = serializers.CharField(help_text="The id under which the logs hold more; also in X-Request-Id.")
    errors = ProblemFieldShape(many=True, required=False)  # type: ignore[assignment]  # a field; DRF's property stays reachable
