"""Lists: the query that every list understands, and the page that it answers with."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import DEFAULT_LIMIT, MAX_CURSOR, MAX_LIMIT
from controlplane.api.shapes import Shape


class NoQuery(Shape):
    """A path that takes no parameters in its query."""


class PageQuery(Shape):
    """``limit`` and ``cursor``, which every list has. Lists add their filters and their ``ordering``."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text=f"Rows a page, 1 to {MAX_LIMIT}."
    )
    cursor = serializers.CharField(
        max_length=MAX_CURSOR, default="", help_text="`next` of the page before. Keep the filters and the ordering as they were."
    )


def page_of(item: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """Make the shape of a page of ``item``; ``name`` is the component's name in the schema."""
    fields = {
        "items": item(many=True),
        "next": serializers.CharField(allow_null=True, help_text="The cursor of the next page; null on the last."),
        "__doc__": "One page of a list.",
        "__module__": __name__,
    }
    return extend_schema_serializer(component_name=name)(type(name, (serializers.Serializer,), fields))
