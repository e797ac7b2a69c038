"""Tiers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import BY_CODE, names_of
from controlplane.api.serializers.pages import PageQuery, page_of
from controlplane.api.shapes import ChoiceTextField, FlagField, ReasonShape, Shape, TextField, WholeNumberField
from tenants.facts import FailPolicy, IsolationModel

MODELS = [(model.value, model.value) for model in IsolationModel]
FAIL_POLICIES = [(policy.value, policy.value) for policy in FailPolicy]
SMALL, WHOLE, LARGE = 2**15 - 1, 2**31 - 1, 2**53 - 1
"""The largest values that a column takes; the last is the largest that every JSON reader keeps exact."""


class IsolationModelField(ChoiceTextField):
    """One of the isolation models, as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=MODELS, **kwargs)


@extend_schema_serializer(component_name="Tier")
class TierShape(serializers.Serializer[Any]):
    """What a tenant of this tier gets."""

    code = serializers.CharField()
    name = serializers.CharField()
    isolation_model = serializers.ChoiceField(choices=MODELS)
    rate_per_second = serializers.IntegerField(help_text="Requests a second.")
    burst = serializers.IntegerField(help_text="Requests at once.")
    quota_per_day = serializers.IntegerField(help_text="Requests a day (UTC).")
    quota_per_month = serializers.IntegerField(allow_null=True, help_text="Requests a month (UTC); null does not limit.")
    concurrency = serializers.IntegerField(allow_null=True, help_text="Requests in flight; null does not limit.")
    weight = serializers.IntegerField(help_text="Share of the platform's capacity.")
    fail_policy = serializers.ChoiceField(
        choices=FAIL_POLICIES,
        help_text="What an edge does that cannot hear from the control plane: go on as it knew last, or refuse.",
    )
    key_max_age_days = serializers.IntegerField()
    key_overlap_seconds = serializers.IntegerField(help_text="The longest overlap of a rotation.")
    key_quiet_seconds = serializers.IntegerField(help_text="How long a predecessor must have been quiet to be retired by evidence.")
    sso_allowed = serializers.BooleanField()
    log_retention_days = serializers.IntegerField()
    offboarding_grace_seconds = serializers.IntegerField()
    retired_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TierValues(Shape):
    """What may be set on a tier; the service has a default for what is left out."""

    name = TextField(max_length=64, required=False)
    isolation_model = IsolationModelField(required=False)
    rate_per_second = WholeNumberField(min_value=1, max_value=WHOLE, required=False)
    burst = WholeNumberField(min_value=1, max_value=WHOLE, required=False)
    quota_per_day = WholeNumberField(min_value=0, max_value=LARGE, required=False)
    quota_per_month = WholeNumberField(min_value=0, max_value=LARGE, required=False, allow_null=True)
    concurrency = WholeNumberField(min_value=0, max_value=WHOLE, required=False, allow_null=True)
    weight = WholeNumberField(min_value=1, max_value=SMALL, required=False)
    fail_policy = ChoiceTextField(choices=FAIL_POLICIES, required=False)
    key_max_age_days = WholeNumberField(min_value=1, max_value=SMALL, required=False)
    key_overlap_seconds = WholeNumberField(min_value=0, max_value=WHOLE, required=False)
    key_quiet_seconds = WholeNumberField(min_value=0, max_value=WHOLE, required=False)
    sso_allowed = FlagField(required=False)
    log_retention_days = WholeNumberField(min_value=1, max_value=SMALL, required=False)
    offboarding_grace_seconds = WholeNumberField(min_value=0, max_value=WHOLE, required=False)
    reason = TextField(max_length=500, required=False, help_text="Why; kept in the audit log.")


@extend_schema_serializer(component_name="TierChange")
class TierChange(TierValues):
    """A change of a tier: what is left out stays as it is."""


@extend_schema_serializer(component_name="TierCreation")
class TierCreation(TierValues):
    """A new tier."""

    code = serializers.RegexField(r"^[a-z][a-z0-9-]{0,31}\Z", help_text="Its name for machines; it never changes.")
    name = TextField(max_length=64)
    isolation_model = IsolationModelField()

    def validate_code(self, value: str) -> str:
        """Refuse what only looks like a code after it was turned into text."""
        if not isinstance(self.initial_data["code"], str):
            raise serializers.ValidationError("Not a valid string.")
        return value


@extend_schema_serializer(component_name="Retirement")
class Retirement(ReasonShape):
    """Why a tier is retired."""


class TierQuery(PageQuery):
    """How to list tiers."""

    ordering = serializers.ChoiceField(choices=names_of(BY_CODE), default="code")


TierPage = page_of(TierShape, "TierPage")
