"""What may be asked of tenants' keys."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controlplane.api.serializers.tiers import WHOLE
from controlplane.api.shapes import (
    AddressField,
    ChoiceTextField,
    FlagField,
    MomentField,
    ReasonShape,
    Shape,
    TextField,
    WholeNumberField,
)
from tenants.keys import cidrs, inputs, scopes
from tenants.keys.codes import Code
from tenants.keys.models import KeyEnvironment, LeakAction

MOST_SCOPES, LONGEST_SCOPE, LONGEST_RANGE = 64, 64, 64


class TextList(serializers.ListField):
    """A JSON array of texts."""

    def __init__(self, *, most: int, longest: int, **kwargs: Any) -> None:
        super().__init__(child=TextField(max_length=longest), max_length=most, **kwargs)


class KeyFields(Shape):
    """What may be said of a key when it is made, and changed later."""

    scopes = TextList(
        most=MOST_SCOPES,
        longest=LONGEST_SCOPE,
        required=False,
        help_text=f"What it may do: the SaaS's own scopes, and {' or '.join(sorted(scopes.MANAGEMENT))} to manage keys.",
    )
    cidrs = TextList(
        most=cidrs.MOST,
        longest=LONGEST_RANGE,
        required=False,
        help_text="IPv4 and IPv6 ranges that it may be used from; empty is anywhere.",
    )
    metadata = serializers.DictField(
        required=False, help_text="Names with texts, numbers, flags or null; at most 4 KiB, no secrets."
    )
    expires_at = MomentField(
        required=False, allow_null=True, help_text="The end of the key itself. An edit may only bring it nearer."
    )
    rotate_every_days = WholeNumberField(
        min_value=1,
        max_value=inputs.LONGEST_ROTATION_DAYS,
        required=False,
        allow_null=True,
        help_text="Have it rotated by the clock; its workloads then read it from Secrets Manager.",
    )
    reason = TextField(max_length=500, required=False, help_text="Why; kept in the audit log.")


@extend_schema_serializer(component_name="KeyIssue")
class KeyIssue(KeyFields):
    """A key to issue."""

    name = TextField(max_length=inputs.MAX_NAME)
    environment = ChoiceTextField(choices=KeyEnvironment.choices, required=False, help_text="`live` when left out.")


@extend_schema_serializer(component_name="KeyImport")
class KeyImport(KeyIssue):
    """A key to take over from elsewhere, by its hash."""

    sha256 = TextField(max_length=64, help_text="The SHA-256 of its text, in hex.")
    last_four = TextField(max_length=4, required=False, help_text="The end of its text.")


@extend_schema_serializer(component_name="KeyChange")
class KeyChange(KeyFields):
    """A change of a key: what is left out stays as it is."""

    name = TextField(max_length=inputs.MAX_NAME, required=False)


@extend_schema_serializer(component_name="KeyAct")
class KeyAct(ReasonShape):
    """An act on a key that needs nothing but its reason."""


@extend_schema_serializer(component_name="KeyRotation")
class KeyRotation(Shape):
    """How a key is rotated."""

    overlap_seconds = WholeNumberField(
        min_value=0,
        max_value=WHOLE,
        required=False,
        help_text="How long the predecessor goes on: at most the tier's overlap and its own life, which is also what holds when this is "
        "left out. 0 ends it as soon as Secrets Manager hands out the successor.",
    )
    retire_when_quiet = FlagField(
        required=False,
        help_text="Let the predecessor go earlier, once its successor is used and it has been quiet for the tier's time.",
    )
    end_previous = FlagField(
        required=False,
        help_text="Where the last rotation's overlap is still open: end it now. Without this, the rotation is refused.",
    )
    reason = TextField(max_length=500, required=False, help_text="Why; kept in the audit log.")


@extend_schema_serializer(component_name="KeyPolicyChange")
class KeyPolicyChange(Shape):
    """A change of a tenant's policy for its keys."""

    leak_action = ChoiceTextField(choices=LeakAction.choices)
    reason = TextField(max_length=500, required=False, help_text="Why; kept in the audit log.")


@extend_schema_serializer(component_name="KeyPresented")
class KeyPresented(Shape):
    """A key that somebody presented to the SaaS, and what for."""

    key = TextField(trim_whitespace=False, allow_blank=True, help_text="The text exactly as it was presented.")
    scopes = TextList(most=MOST_SCOPES, longest=LONGEST_SCOPE, required=False, help_text="What the request needs, all of it.")
    address = AddressField(
        required=False, help_text="Where the request came from. A key with address ranges is refused without it."
    )


@extend_schema_serializer(component_name="KeyVerdict")
class KeyVerdictShape(serializers.Serializer[Any]):
    """Whether a presented key is good. All but the first two are null when nothing is known by that text."""

    valid = serializers.BooleanField()
    code = serializers.ChoiceField(choices=[(code.value, code.value) for code in Code])
    key_id = serializers.CharField(allow_null=True)
    version_id = serializers.CharField(allow_null=True)
    tenant_id = serializers.CharField(allow_null=True)
    environment = serializers.ChoiceField(choices=KeyEnvironment.choices, allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="When this text stops being good, the end of an overlap included."
    )
    name = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(allow_null=True)
