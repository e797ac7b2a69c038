"""The forms in which acts are confirmed. They check shapes only; what may be is the services' to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from controlplane.console.acts import Act
from controlplane.console.forms import code_field
from core.errors import DomainError
from tenants.inputs import MAX_NAME, MAX_REASON
from tenants.models import Cell, CellState, Tenant, Tier

MAX_GRACE_DAYS = 90


def reason_field(example: str) -> forms.CharField:
    """Give the field that every act has: why."""
    return forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        help_text="Goes into the audit log with your name, and stays there.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "placeholder": f"For example: {example}" if example else ""}),
    )


class ConfirmForm(forms.Form):
    """A reason, the fingerprint of the plan that was looked at, and a code where the act needs a fresh one."""

    pointers: ClassVar[Mapping[str, str]] = {}
    """Fields whose names differ from those that the service knows, beside POINTERS."""
    plan = forms.CharField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField()

    def __init__(self, *args: Any, act: Act, asks_code: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = reason_field(act.example)
        if asks_code:
            self.fields["code"] = code_field(label="Code from your authenticator", autofocus=False)
            self.fields["code"].help_text = "This act destroys something, and your last code is older than ten minutes."

    def take(self, error: DomainError) -> None:
        """Show a refusal of a service at the fields that it names, and at the top where it names none of ours."""
        left = []
        for field in error.errors:
            name = {**POINTERS, **self.pointers}.get(field.pointer, field.pointer.lstrip("/"))
            if name in self.fields:
                self.add_error(name, field.detail)
            else:
                left.append(field.detail)
        if left or not error.errors:
            self.add_error(None, " ".join(left) or error.detail)


POINTERS = {"/grace_seconds": "grace_days", "/tier": "tier", "/tier_code": "tier", "/cell_code": "cell", "/cell": "cell"}


class OffboardForm(ConfirmForm):
    """With the grace in days. Removal without any grace is not offered in the console."""

    field_order = ("grace_days", "reason", "code")
    grace_days = forms.IntegerField(
        label="Grace in days",
        min_value=1,
        max_value=MAX_GRACE_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="1 to 90. Until it ends, everything can be undone.",
    )


class ChangeTierForm(ConfirmForm):
    """With the tier to move to: those that take tenants, without the present one."""

    field_order = ("tier", "reason", "code")
    tier = forms.ModelChoiceField(label="New tier", queryset=Tier.objects.none(), widget=forms.RadioSelect, empty_label=None)

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["tier"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = Tier.objects.filter(retired_at=None).exclude(pk=tenant.tier_id).order_by("rate_per_second", "code")


class OnboardForm(ConfirmForm):
    """What a new tenant needs. ``reference`` is made with the page, so that pressing twice asks once."""

    field_order = ("name", "slug", "tier", "cell", "admin_email", "admin_name", "reason")
    reference = forms.CharField(max_length=200, widget=forms.HiddenInput)
    name = forms.CharField(
        label="Name", max_length=MAX_NAME, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "autocomplete": "off"})
    )
    slug = forms.CharField(
        label="Short name",
        max_length=63,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="Lower-case letters, digits and hyphens. It can never be changed or given out again.",
    )
    tier = forms.ModelChoiceField(label="Tier", queryset=Tier.objects.none(), widget=forms.RadioSelect, empty_label=None)
    cell = forms.ModelChoiceField(
        label="Cell",
        queryset=Cell.objects.none(),
        required=False,
        to_field_name="code",
        empty_label="The first that is ready",
        widget=UnfoldAdminSelectWidget,
    )
    admin_email = forms.CharField(
        label="E-mail",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
        help_text="Where the invitation goes.",
    )
    admin_name = forms.CharField(
        label="Name of the person",
        max_length=MAX_NAME,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tier, cell = self.fields["tier"], self.fields["cell"]
        assert isinstance(tier, forms.ModelChoiceField)
        assert isinstance(cell, forms.ModelChoiceField)
        tier.queryset = Tier.objects.filter(retired_at=None).order_by("rate_per_second", "code")
        cell.queryset = Cell.objects.filter(state=CellState.READY)
