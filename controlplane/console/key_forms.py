"""The forms in which acts on keys are confirmed. They check shapes only; what may be is the services' to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from controlplane.console.act_forms import ConfirmForm
from tenants.keys import selectors
from tenants.keys.models import ApiKey
from tenants.words import span

OVERLAPS_SECONDS = (0, 3_600, 86_400, 7 * 86_400)


def overlaps_of(longest_seconds: int) -> list[tuple[str, str]]:
    """Give the overlaps that are offered on a tier with this maximum: round ones within it, and the maximum itself."""
    offered = sorted({seconds for seconds in OVERLAPS_SECONDS if seconds <= longest_seconds} | {longest_seconds})
    return [(str(seconds), "not at all" if seconds == 0 else span(seconds)) for seconds in offered]


class RotateForm(ConfirmForm):
    """With the overlap, and what becomes of predecessors."""

    field_order = ("overlap", "retire_when_quiet", "end_previous", "reason", "code")
    overlap = forms.ChoiceField(label="The present version works on for", widget=forms.RadioSelect)
    retire_when_quiet = forms.BooleanField(label="Retire it earlier, by evidence", required=False, widget=UnfoldBooleanSwitchWidget)
    end_previous = forms.BooleanField(label="", required=False, widget=UnfoldBooleanSwitchWidget)

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tier = key.tenant.tier
        overlap = self.fields["overlap"]
        assert isinstance(overlap, forms.ChoiceField)
        overlap.choices = overlaps_of(tier.key_overlap_seconds)
        overlap.initial = str(tier.key_overlap_seconds)
        quiet = span(tier.key_quiet_seconds)
        self.fields["retire_when_quiet"].help_text = f"As soon as its successor has been used, and it has not for {quiet}."
        previous = selectors.previous_of(key)
        if previous is None:
            del self.fields["end_previous"]
        else:
            self.fields["end_previous"].label = f"End version {previous.number} at once"
            self.fields["end_previous"].help_text = "The last rotation is not over: without this, it is waited for."

    def clean_overlap(self) -> timedelta:
        """Give the overlap as a duration."""
        return timedelta(seconds=int(self.cleaned_data["overlap"]))


class RevokeForm(ConfirmForm):
    """With the key's name, typed: what cannot be undone is not done to the wrong row."""

    field_order = ("name", "reason", "code")
    name = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._called = key.name
        self.fields["name"].label = "The key's name"
        self.fields["name"].help_text = f"Type {key.name} to confirm."

    def clean_name(self) -> str:
        """Refuse any other name."""
        name = str(self.cleaned_data["name"])
        if name.split() != self._called.split():  # a browser shows several blanks as one
            raise forms.ValidationError("This is not the key's name.")
        return name
