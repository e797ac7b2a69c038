"""The forms for acts on a key: rotate, revoke, whatever wants a reason, and the policy for leaks. They read shapes; what may be is the services'."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from controlplane.portal.key_form_fields import CUSTOM, PLAIN, PortalForm, choose
from tenants.keys import selectors
from tenants.keys.models import ApiKey, LeakAction
from tenants.words import span

OVERLAPS_SECONDS = (0, 3_600, 86_400, 7 * 86_400)


class RotateForm(PortalForm):
    """A rotation. ``version`` is the one that the form calls current: sent again, it does not rotate its own successor."""

    field_order = ("overlap", "custom_hours", "retire_when_quiet", "end_previous", "reason", "version")
    overlap = forms.ChoiceField(label="The present version works on for", widget=forms.RadioSelect)
    custom_hours = forms.DecimalField(
        label="Hours",
        required=False,
        min_value=0,
        max_digits=8,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.25", "min": 0}),
    )
    retire_when_quiet = forms.BooleanField(label="End it earlier when it is quiet", required=False)
    end_previous = forms.BooleanField(label="", required=False)
    reason = forms.CharField(label="Why", required=False, help_text="Goes into the activity log.")
    version = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        current, previous = selectors.current_of(key), selectors.previous_of(key)
        kwargs["initial"] = {"version": current.pk if current else "", **kwargs.get("initial", {})}
        super().__init__(*args, **kwargs)
        tier = key.tenant.tier
        self._longest = tier.key_overlap_seconds
        choose(self, "overlap", overlap_choices(self._longest))
        self.fields["overlap"].initial = str(min(86_400, self._longest))
        self.fields[
            "overlap"
        ].help_text = "Both versions are accepted for that time, so that you can move your programs one by one."
        self.fields["custom_hours"].help_text = f"At most {span(self._longest)} on {tier.name}."
        quiet = span(tier.key_quiet_seconds)
        self.fields["retire_when_quiet"].help_text = f"As soon as the new version was used and the old one was not for {quiet}."
        if previous is None:
            del self.fields["end_previous"]
        else:
            self.fields["end_previous"].label = f"End version {previous.number} at once"
            self.fields["end_previous"].help_text = "The last rotation is not over: a key has at most two versions that work."

    def clean(self) -> dict[str, Any]:
        """Read the overlap that was chosen, as a duration."""
        given = super().clean() or self.cleaned_data
        choice = given.get("overlap", "")
        if choice == CUSTOM and given.get("custom_hours") is None:
            if "custom_hours" not in self.errors:
                self.add_error("custom_hours", "Say for how many hours.")
            return given
        seconds = float(given["custom_hours"]) * 3_600 if choice == CUSTOM else float(choice or 0)
        if seconds > self._longest:
            self.add_error("custom_hours", f"At most {span(self._longest)}.")
        given["length"] = timedelta(seconds=min(seconds, self._longest))
        return given


class ReasonForm(PortalForm):
    """An act that wants a reason."""

    reason = forms.CharField(label="Why", help_text="Goes into the activity log, for those who ask later.")


class RevokeForm(ReasonForm):
    """With the key's name, typed: what cannot be undone is not done to the wrong key."""

    field_order = ("name", "reason")
    name = forms.CharField(label="The key's name", strip=True, widget=forms.TextInput(attrs={**PLAIN, "autocapitalize": "none"}))

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._called = key.name
        self.fields["name"].help_text = f"Type “{key.name}” to confirm."

    def clean_name(self) -> str:
        """Refuse any other name."""
        name = str(self.cleaned_data["name"])
        if name.split() != self._called.split():  # a browser shows several blanks as one
            raise forms.ValidationError("This is not the key's name.")
        return name


class LeakForm(PortalForm):
    """What is done with a key that is found in public."""

    leak_action = forms.ChoiceField(
        label="A key that is found in public",
        widget=forms.RadioSelect,
        choices=[
            (LeakAction.REVOKE, "is revoked at once: whoever uses it is refused from then on"),
            (LeakAction.ROTATE, "is rotated at once: its new text is in your Secrets Manager, the old one ends soon"),
        ],
    )
    reason = forms.CharField(label="Why", required=False, help_text="Goes into the activity log.")
    revision = forms.IntegerField(widget=forms.HiddenInput)


def overlap_choices(longest_seconds: int) -> list[tuple[str, str]]:
    """Give the overlaps that a tier with this maximum offers: round ones within it, the maximum itself, and any other."""
    offered = sorted({seconds for seconds in OVERLAPS_SECONDS if seconds <= longest_seconds} | {longest_seconds})
    named = [(str(seconds), span(seconds) if seconds else "no time: it ends now") for seconds in offered]
    return [*named, (CUSTOM, "a time of your choice")] if longest_seconds else named
