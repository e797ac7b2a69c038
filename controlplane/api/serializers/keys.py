"""Tenants' keys and their versions as they are shown. None of these shapes has a key's text, but for the one answer that issues it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from controlplane.api.pagination import BY_ID, BY_NUMBER, names_of
from controlplane.api.serializers.pages import PageQuery, page_of
from tenants.keys import selectors, tokens
from tenants.keys.models import NEVER_GIVEN, ApiKey, KeyEnvironment, KeyState, KeyVersion, LeakAction, Stage, StoreState
from tenants.naming import key_secret
from tenants.selectors import facts_of

STATES = [(state.value, state.value) for state in KeyState if state not in NEVER_GIVEN]


@extend_schema_serializer(component_name="CurrentVersion")
class CurrentVersionShape(serializers.Serializer[Any]):
    """The version of a key that is handed out now."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    last_four = serializers.CharField(help_text="The end of its text, to compare with what is in use.")
    issued_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Fixed at birth; nothing makes it later.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Right to a minute.")


@extend_schema_serializer(component_name="PreviousVersion")
class PreviousVersionShape(CurrentVersionShape):
    """The predecessor, which still verifies while the overlap lasts."""

    retires_at = serializers.DateTimeField(help_text="The end of the overlap.")
    retire_when_quiet = serializers.BooleanField(help_text="Whether it goes earlier, once its successor is used and it is quiet.")


@extend_schema_serializer(component_name="KeySummary")
class KeySummaryShape(serializers.Serializer[Any]):
    """A key as lists show it."""

    id = serializers.CharField()
    tenant = serializers.CharField(source="tenant_id", help_text="Id of its tenant.")
    name = serializers.CharField()
    prefix = serializers.SerializerMethodField(help_text="The visible start of its text, the same for all its versions.")
    environment = serializers.ChoiceField(choices=KeyEnvironment.choices)
    state = serializers.SerializerMethodField()
    scopes = serializers.ListField(child=serializers.CharField())
    cidrs = serializers.ListField(child=serializers.CharField(), help_text="Where it may be used from; empty is anywhere.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="The end of the key itself, whatever its versions.")
    current = serializers.SerializerMethodField(help_text="Null once the key has ended.")
    previous = serializers.SerializerMethodField(help_text="Null unless an overlap is open.")
    store_state = serializers.ChoiceField(
        choices=StoreState.choices, help_text="Whether Secrets Manager was read back as holding what it should."
    )
    rotate_every_days = serializers.IntegerField(allow_null=True)
    rotate_due_at = serializers.DateTimeField(allow_null=True, help_text="Since when a rotation is owed; null when none is.")
    leaked_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    revision = serializers.IntegerField(help_text="Counts edits; a change is held to it by If-Match.")

    def get_prefix(self, row: ApiKey) -> str:
        """Give the start of the text, which is no secret."""
        return tokens.prefix_of(row.brand, row.environment, row.public_id)

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, row: ApiKey) -> str:
        """Give the state as the clock has it: one whose time is over is expired."""
        return selectors.state_of(row)

    @extend_schema_field(CurrentVersionShape(allow_null=True))
    def get_current(self, row: ApiKey) -> Mapping[str, Any] | None:
        """Give the current version among those that were joined."""
        version = selectors.current_of(row)
        return CurrentVersionShape(version).data if version else None

    @extend_schema_field(PreviousVersionShape(allow_null=True))
    def get_previous(self, row: ApiKey) -> Mapping[str, Any] | None:
        """Give the previous version among those that were joined."""
        version = selectors.previous_of(row)
        return PreviousVersionShape(version).data if version else None


@extend_schema_serializer(component_name="Key")
class KeyShape(KeySummaryShape):
    """A key."""

    metadata = serializers.DictField(help_text="What its maker has noted of it.")
    state_reason = serializers.CharField()
    ended_at = serializers.DateTimeField(allow_null=True)
    store_settled_at = serializers.DateTimeField(allow_null=True)
    secret_name = serializers.SerializerMethodField(
        help_text="The secret in Secrets Manager that holds its text, for the tenant's own workloads; null when none does."
    )

    def get_secret_name(self, row: ApiKey) -> str | None:
        """Give the name; an imported key has no secret before its first rotation, an ended one none any more."""
        is_stored = row.is_living and row.store_state != StoreState.EMPTY
        return key_secret(facts_of(row.tenant), row.pk) if is_stored else None


class IssuedShape(serializers.Serializer[Any]):
    """What was issued. The text is in the first answer only, and nowhere in the control plane."""

    key = serializers.CharField(allow_null=True, help_text="The key's text; null when the answer is repeated.")
    version = serializers.CharField(help_text="Id of the version.")
    secret_name = serializers.CharField(help_text="The secret in Secrets Manager that holds the text.")
    note = serializers.CharField(help_text="Where the text is, in words.")


@extend_schema_serializer(component_name="IssuedKey")
class IssuedKeyShape(KeyShape):
    """A key with what was just issued for it."""

    issued = IssuedShape()


class UseShape(serializers.Serializer[Any]):
    """What a version is still doing."""

    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Right to a minute.")
    last_used_from = serializers.CharField(
        help_text="The address that was noted then; empty when none was, as for calls through the edge."
    )
    calls_last_hour = serializers.IntegerField(help_text="Calls in the hour that runs and the one before.")
    calls_last_day = serializers.IntegerField(help_text="Calls in 24 hours.")


@extend_schema_serializer(component_name="KeyVersion")
class KeyVersionShape(serializers.Serializer[Any]):
    """One version of a key: when it came and went, and what it is still doing."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    stage = serializers.ChoiceField(choices=Stage.choices)
    last_four = serializers.CharField()
    created_by = serializers.CharField()
    issued_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    promoted_at = serializers.DateTimeField(allow_null=True, help_text="When it became current; null if it never did.")
    retires_at = serializers.DateTimeField(allow_null=True)
    retire_when_quiet = serializers.BooleanField()
    retired_at = serializers.DateTimeField(allow_null=True)
    retired_because = serializers.CharField()
    use = serializers.SerializerMethodField()

    @extend_schema_field(UseShape)
    def get_use(self, row: KeyVersion) -> Mapping[str, Any]:
        """Give its use, which was read for the whole page."""
        return UseShape(self.context["uses"][row.pk]).data


@extend_schema_serializer(component_name="KeyPolicy")
class KeyPolicyShape(serializers.Serializer[Any]):
    """What a tenant has decided about its keys."""

    leak_action = serializers.ChoiceField(choices=LeakAction.choices, help_text="What is done with a key that is found in public.")
    revision = serializers.IntegerField()


class KeyQuery(PageQuery):
    """How to list the keys of a tenant."""

    state = serializers.ChoiceField(choices=STATES, required=False)
    environment = serializers.ChoiceField(choices=KeyEnvironment.choices, required=False)
    ordering = serializers.ChoiceField(choices=names_of(BY_ID), default="-id", help_text="Ids sort by time of creation.")


class AnyKeyQuery(KeyQuery):
    """How to list the keys of all tenants."""

    tenant = serializers.CharField(max_length=40, required=False, help_text="Id of a tenant.")


class KeyVersionQuery(PageQuery):
    """How to list the versions of a key."""

    ordering = serializers.ChoiceField(choices=names_of(BY_NUMBER), default="-number")


KeyPage = page_of(KeySummaryShape, "KeyPage")
KeyVersionPage = page_of(KeyVersionShape, "KeyVersionPage")
