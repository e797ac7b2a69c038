"""A tenant's first administrator, and how their invitation stands."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tenants.members.invitations import Standing
from tenants.members.models import MemberState

STANDINGS = [(standing.value, standing.value) for standing in Standing]
STATES = [(state.value, state.value) for state in MemberState]


@extend_schema_serializer(component_name="Invitation")
class InvitationShape(serializers.Serializer[Any]):
    """How an invitation stands."""

    standing = serializers.ChoiceField(choices=STANDINGS, help_text="`none` when they have joined or it was cancelled.")
    sent_at = serializers.DateTimeField(allow_null=True, help_text="When the last one went out.")
    ends_at = serializers.DateTimeField(allow_null=True, help_text="When it ends, or has ended.")


@extend_schema_serializer(component_name="Administrator")
class AdministratorShape(serializers.Serializer[Any]):
    """The administrator whom the onboarding made and invited."""

    id = serializers.CharField()
    email = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    joined_at = serializers.DateTimeField(allow_null=True)
    invitation = InvitationShape()
