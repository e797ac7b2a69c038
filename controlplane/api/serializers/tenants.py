"""Tenants, and what may be asked of them."""

from __future__ import annotations

from typing import Any, Literal, cast

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import BY_ID_OR_SLUG, names_of
from controlplane.api.serializers.pages import PageQuery, page_of
from controlplane.api.serializers.tiers import MODELS
from controlplane.api.shapes import ReasonShape, Shape, TextField, WholeNumberField
from provisioning.selectors import actions_of
from provisioning.services import MAX_GRACE
from tenants.lifecycle import TenantState
from tenants.models import Tenant

STATES = [(state.value, state.value) for state in TenantState]
Action = Literal["suspend", "resume", "change-tier", "offboard", "undo-offboard", "repair"]


@extend_schema_serializer(component_name="TenantSummary")
class TenantSummaryShape(serializers.Serializer[Any]):
    """A tenant as lists show it."""

    id = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    state_changed_at = serializers.DateTimeField()
    tier = serializers.CharField(source="tier_id", help_text="Code of its tier.")
    isolation_model = serializers.ChoiceField(choices=MODELS, source="tier.isolation_model")
    cell = serializers.CharField(source="cell.code", help_text="Code of its cell.")
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="Tenant")
class TenantShape(TenantSummaryShape):
    """A tenant, with what its state allows now."""

    admin_email = serializers.CharField()
    admin_name = serializers.CharField()
    state_reason = serializers.CharField()
    offboard_due_at = serializers.DateTimeField(allow_null=True, help_text="When its removal begins, while it is offboarding.")
    actions = serializers.SerializerMethodField(help_text="Acts that its state allows: POST to its path with `:` and the name.")

    def get_actions(self, row: Tenant) -> list[Action]:
        """Give the acts, named as in their paths."""
        return [cast("Action", name.replace("_", "-")) for name in actions_of(row)]


@extend_schema_serializer(component_name="TenantOnboarding")
class TenantOnboarding(Shape):
    """A tenant to take in."""

    slug = TextField(max_length=200, help_text="Short name, 1 to 63 of a-z, 0-9 and inner hyphens; never given out twice.")
    name = TextField(max_length=200)
    tier = TextField(max_length=32, help_text="Code of a tier that is not retired.")
    cell = TextField(max_length=20, required=False, help_text="Code of a cell; the first that is ready when left out.")
    admin_email = TextField(max_length=254, help_text="The first administrator, who is invited.")
    admin_name = TextField(max_length=200, required=False)
    reason = TextField(max_length=500, required=False, help_text="Why; kept in the audit log.")


@extend_schema_serializer(component_name="TenantChange")
class TenantChange(Shape):
    """A change of a tenant. Only its name can be changed like this; everything else is an act with a path of its own."""

    name = TextField(max_length=200)
    reason = TextField(max_length=500, required=False, help_text="Why; kept in the audit log.")


@extend_schema_serializer(component_name="Act")
class Act(ReasonShape):
    """An act that needs nothing but its reason."""


@extend_schema_serializer(component_name="TierMove")
class TierMove(ReasonShape):
    """Where a tenant moves."""

    tier = TextField(max_length=32, help_text="Code of the tier to move to.")


@extend_schema_serializer(component_name="Offboarding")
class Offboarding(ReasonShape):
    """When a tenant's removal begins."""

    grace_seconds = WholeNumberField(
        min_value=0,
        max_value=int(MAX_GRACE.total_seconds()),
        required=False,
        help_text="How long it can be undone; the tier's grace when left out.",
    )


class TenantQuery(PageQuery):
    """How to list tenants."""

    state = serializers.ChoiceField(choices=STATES, required=False)
    tier = serializers.CharField(max_length=32, required=False)
    cell = serializers.CharField(max_length=20, required=False)
    isolation_model = serializers.ChoiceField(choices=MODELS, required=False)
    ordering = serializers.ChoiceField(choices=names_of(BY_ID_OR_SLUG), default="-id", help_text="Ids sort by time of creation.")


TenantPage = page_of(TenantSummaryShape, "TenantPage")
