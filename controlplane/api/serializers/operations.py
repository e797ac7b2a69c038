"""Operations, their steps, and the ledger."""

from __future__ import annotations

from typing import Any, Literal, cast

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import BY_ID, names_of
from controlplane.api.serializers.pages import PageQuery, page_of
from controlplane.redaction import is_secret_name, redact_text
from provisioning.models import Operation, OperationKind, OperationState, Resource, ResourceState, Step, StepAction, StepState
from provisioning.selectors import operation_actions_of


class FailureShape(serializers.Serializer[Any]):
    """Why an operation or a step stands still."""

    code = serializers.CharField()
    detail = serializers.CharField()


class FailureField(serializers.Field[Any, Any, Any, Any]):
    """``error_code`` and ``error_detail`` of a row as one object, or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)

    def to_representation(self, value: Operation | Step) -> dict[str, str] | None:
        """Give the failure; AWS's messages are passed on without what looks like a secret."""
        if not value.error_code:
            return None
        return {"code": value.error_code, "detail": redact_text(value.error_detail)}


Failure = extend_schema_field(FailureShape(allow_null=True))(FailureField)


@extend_schema_serializer(component_name="Step")
class StepShape(serializers.Serializer[Any]):
    """One resource brought to one shape."""

    id = serializers.CharField()
    position = serializers.IntegerField()
    action = serializers.ChoiceField(choices=StepAction.choices)
    kind = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=StepState.choices)
    tries = serializers.IntegerField()
    failures = serializers.IntegerField()
    note = serializers.CharField(help_text="What it waits for, in words.")
    error = Failure()
    aws_calls = serializers.IntegerField()
    aws_request_id = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="OperationSummary")
class OperationSummaryShape(serializers.Serializer[Any]):
    """An operation as lists show it."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=OperationKind.choices)
    state = serializers.ChoiceField(choices=OperationState.choices)
    tenant = serializers.CharField(source="tenant_id", allow_null=True, help_text="Id of its tenant; null when it is a cell's.")
    cell = serializers.CharField(
        source="cell.code", default=None, allow_null=True, help_text="Code of its cell; null when it is a tenant's."
    )
    actor = serializers.CharField()
    reason = serializers.CharField()
    steps_total = serializers.IntegerField()
    steps_done = serializers.IntegerField()
    error = Failure()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    not_before = serializers.DateTimeField(allow_null=True, help_text="While it waits: when it goes on.")
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="Operation")
class OperationShape(OperationSummaryShape):
    """An operation with its steps."""

    target = serializers.DictField(help_text="What it was asked to bring about.")
    left_behind = serializers.ListField(help_text="After a failure: what exists in AWS and is not part of what was promised.")
    actions = serializers.SerializerMethodField(help_text="Acts that its state allows: POST to its path with `:` and the name.")
    steps = StepShape(many=True)

    def get_actions(self, row: Operation) -> list[Literal["retry", "abandon"]]:
        """Give the acts, named as in their paths."""
        return cast("list[Literal['retry', 'abandon']]", list(operation_actions_of(row)))


@extend_schema_serializer(component_name="Resource")
class ResourceShape(serializers.Serializer[Any]):
    """One row of the ledger: a resource in AWS, and what was read back of it."""

    id = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=ResourceState.choices)
    attributes = serializers.SerializerMethodField()
    differences = serializers.ListField(
        child=serializers.CharField(), help_text="Promises that were not kept when it was read back."
    )
    observed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    @extend_schema_field({"type": "object", "additionalProperties": {}, "description": "Ids and addresses that AWS chose."})
    def get_attributes(self, row: Resource) -> dict[str, Any]:
        """Give what AWS chose. The ledger holds no secret; should one ever get there, its name keeps it from coming out."""
        return {name: value for name, value in row.attributes.items() if not is_secret_name(name)}


class OperationQuery(PageQuery):
    """How to list operations of a tenant."""

    state = serializers.ChoiceField(choices=OperationState.choices, required=False)
    kind = serializers.ChoiceField(choices=OperationKind.choices, required=False)
    ordering = serializers.ChoiceField(choices=names_of(BY_ID), default="-id", help_text="Ids sort by time of creation.")


class AnyOperationQuery(OperationQuery):
    """How to list operations of all tenants and cells."""

    tenant = serializers.CharField(max_length=40, required=False, help_text="Id of a tenant.")
    cell = serializers.CharField(max_length=20, required=False, help_text="Code of a cell, for the operations of the cell itself.")


class ResourceQuery(PageQuery):
    """How to list the ledger of a tenant."""

    kind = serializers.CharField(max_length=32, required=False)
    state = serializers.ChoiceField(choices=ResourceState.choices, required=False)
    ordering = serializers.ChoiceField(choices=names_of(BY_ID), default="id")


OperationPage = page_of(OperationSummaryShape, "OperationPage")
ResourcePage = page_of(ResourceShape, "ResourcePage")
