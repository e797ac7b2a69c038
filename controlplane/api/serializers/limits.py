"""Limits of tenants and of single keys: what holds, where it comes from, and what may be asked of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import BY_ID, names_of
from controlplane.api.serializers.pages import PageQuery, page_of
from controlplane.api.serializers.tiers import FAIL_POLICIES, LARGE, WHOLE
from controlplane.api.shapes import ChoiceTextField, MomentField, ReasonShape, TextField, WholeNumberField
from tenants.limits import selectors
from tenants.limits.effective import Limited
from tenants.limits.models import LimitOverride, OverrideState

LIMITED = [(one.value, one.value) for one in Limited]


@extend_schema_serializer(component_name="Override")
class OverrideShape(serializers.Serializer[Any]):
    """One of the tier's numbers, replaced for one tenant."""

    id = serializers.CharField()
    tenant = serializers.CharField(source="tenant_id", help_text="Id of its tenant.")
    limited = serializers.ChoiceField(choices=LIMITED, help_text="Which of the tier's numbers it replaces.")
    value = serializers.IntegerField()
    state = serializers.SerializerMethodField()
    reason = serializers.CharField()
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="From then on the tier's number holds again; null is for good."
    )
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.CharField()
    ended_reason = serializers.CharField()

    @extend_schema_field(serializers.ChoiceField(choices=OverrideState.choices))
    def get_state(self, row: LimitOverride) -> str:
        """Give the state as the clock has it: one whose time is over is expired."""
        return selectors.state_of(row)


class LimitShape(serializers.Serializer[Any]):
    """One limit of a tenant."""

    limited = serializers.ChoiceField(choices=LIMITED)
    value = serializers.IntegerField(allow_null=True, help_text="What holds now; null does not limit.")
    of_tier = serializers.IntegerField(allow_null=True, help_text="What the tier says.")
    override = OverrideShape(allow_null=True, help_text="What holds in its place; null where the tier's number does.")


@extend_schema_serializer(component_name="TenantLimits")
class TenantLimitsShape(serializers.Serializer[Any]):
    """What a tenant may ask for, and where each number comes from."""

    tenant = serializers.CharField(help_text="Id of the tenant.")
    tier = serializers.CharField()
    limits = LimitShape(many=True)
    fail_policy = serializers.ChoiceField(choices=FAIL_POLICIES, help_text="Of the tier; it cannot be overridden.")


@extend_schema_serializer(component_name="OverrideCreation")
class OverrideCreation(ReasonShape):
    """An override to set."""

    limited = ChoiceTextField(choices=LIMITED)
    value = WholeNumberField(min_value=0, max_value=LARGE)
    expires_at = MomentField(required=False, allow_null=True, help_text="Its end; for good when left out or null.")
    replaces = TextField(
        required=False,
        allow_blank=True,
        max_length=40,
        help_text="Id of the open override of this limit that was read, empty for none: with another in its place the answer is "
        "`stale-limit`. Left out, whatever is there is replaced.",
    )


@extend_schema_serializer(component_name="OverrideRevocation")
class OverrideRevocation(ReasonShape):
    """Why an override is ended before its time."""


class OverrideQuery(PageQuery):
    """How to list the overrides of a tenant."""

    state = serializers.ChoiceField(choices=OverrideState.choices, required=False)
    ordering = serializers.ChoiceField(choices=names_of(BY_ID), default="-id", help_text="Ids sort by time of creation.")


@extend_schema_serializer(component_name="KeyLimits")
class KeyLimitsShape(serializers.Serializer[Any]):
    """What one key may ask for at most, besides what its tenant may; null does not limit."""

    key = serializers.CharField(help_text="Id of the key.")
    rate_per_second = serializers.IntegerField(allow_null=True, help_text="Requests a second.")
    burst = serializers.IntegerField(allow_null=True, help_text="Requests at once.")
    quota_per_day = serializers.IntegerField(allow_null=True, help_text="Requests a day (UTC).")
    quota_per_month = serializers.IntegerField(allow_null=True, help_text="Requests a month (UTC).")
    concurrency = serializers.IntegerField(allow_null=True, help_text="Requests in flight.")
    set_by = serializers.CharField(allow_null=True, help_text="Null for a key that never had limits of its own.")
    set_at = serializers.DateTimeField(allow_null=True)
    revision = serializers.IntegerField(help_text="Counts edits, 0 for none; a change is held to it by If-Match.")


@extend_schema_serializer(component_name="KeyLimitsChange")
class KeyLimitsChange(ReasonShape):
    """A change of a key's own limits: what is left out stays as it is, null does not limit. A burst goes with a rate."""

    rate_per_second = WholeNumberField(min_value=1, max_value=WHOLE, required=False, allow_null=True)
    burst = WholeNumberField(min_value=1, max_value=WHOLE, required=False, allow_null=True)
    quota_per_day = WholeNumberField(min_value=0, max_value=LARGE, required=False, allow_null=True)
    quota_per_month = WholeNumberField(min_value=0, max_value=LARGE, required=False, allow_null=True)
    concurrency = WholeNumberField(min_value=0, max_value=WHOLE, required=False, allow_null=True)


OverridePage = page_of(OverrideShape, "OverridePage")
