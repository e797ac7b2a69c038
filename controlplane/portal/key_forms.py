"""The forms in which a key is issued and edited. They read shapes; what may be is the services' to say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from controlplane.portal.key_form_fields import CUSTOM, KeyFields, choose, new_nonce, scope_choices
from tenants.keys.models import ApiKey, KeyEnvironment
from tenants.models import Tier

EXPIRY_DAYS = (30, 90, 365)
NEVER, KEEP = "never", "keep"
NONCE = re.compile(r"[0-9a-f]{32}")


class IssueForm(KeyFields):
    """A new key. ``reference`` is the number of this form: however often it is sent, one key comes of it."""

    field_order = ("name", "environment", "scopes", "expiry", "expires_on", "cidrs", "rotate_every_days", "reference")
    environment = forms.ChoiceField(
        label="Environment",
        widget=forms.RadioSelect,
        choices=[(KeyEnvironment.LIVE, "Live: real data"), (KeyEnvironment.TEST, "Test: for trying things out")],
        initial=KeyEnvironment.TEST,
    )
    expiry = forms.ChoiceField(label="It ends", widget=forms.RadioSelect, initial="90")
    reference = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, tier: Tier, **kwargs: Any) -> None:
        kwargs["initial"] = {"reference": new_nonce(), **kwargs.get("initial", {})}
        super().__init__(*args, **kwargs)
        choose(self, "scopes", scope_choices())
        most = tier.key_max_age_days
        days = [(str(number), f"in {number} days") for number in EXPIRY_DAYS]
        never = f"never by itself; each version of it lives {most} days at most, then it has to be rotated"
        choose(self, "expiry", [*days, (NEVER, never), (CUSTOM, "on a day of your choice")])
        self.fields[
            "expiry"
        ].help_text = (
            f"Whatever you choose, {tier.name} lets one version live {most} days: rotate the key before, and it goes on to its end."
        )

    def clean_reference(self) -> str:
        """Refuse a number that no form of ours has."""
        text = str(self.cleaned_data["reference"])
        if NONCE.fullmatch(text) is None:
            raise forms.ValidationError("This form is out of date. Open it again.")
        return text

    def clean(self) -> dict[str, Any]:
        """Read the end that was chosen."""
        given = super().clean() or self.cleaned_data
        choice = given.get("expiry", "")
        if choice == CUSTOM:
            given["expires_at"] = self.end_of_day()
        else:
            given["expires_at"] = timezone.now() + timedelta(days=int(choice)) if choice.isdigit() else None
        return given

    def wish(self) -> Mapping[str, Any]:
        """Give what is asked for, as the service takes it."""
        names = ("name", "environment", "scopes", "cidrs", "rotate_every_days", "expires_at")
        return {name: self.cleaned_data[name] for name in names}


class EditForm(KeyFields):
    """A key that is there. Its end may only come nearer. ``revision`` is how it was when the form was opened."""

    field_order = ("name", "scopes", "cidrs", "rotate_every_days", "expiry", "expires_on", "reason", "revision")
    expiry = forms.ChoiceField(label="Its end", widget=forms.RadioSelect, initial=KEEP)
    reason = forms.CharField(label="Why", required=False, help_text="Goes into the activity log.")
    revision = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        kwargs["initial"] = _as_typed(key)
        super().__init__(*args, **kwargs)
        self._key = key
        choose(self, "scopes", scope_choices(tuple(key.scopes)))
        end = f"{key.expires_at:%-d %b %Y, %H:%M} UTC" if key.expires_at else "none of its own"
        choose(self, "expiry", [(KEEP, f"stays as it is: {end}"), (CUSTOM, "comes nearer, to a day of your choice")])

    def clean(self) -> dict[str, Any]:
        """Read the end that was chosen."""
        given = super().clean() or self.cleaned_data
        if given.get("expiry") == CUSTOM:
            given["expires_at"] = self.end_of_day()
        return given

    def wish(self) -> Mapping[str, Any]:
        """Give what differs from the key: what nobody touched need not be lawful any more."""
        names = ("name", "scopes", "cidrs", "rotate_every_days", "expires_at")
        given = {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}
        own = {**{name: getattr(self._key, name) for name in names}, "scopes": sorted(self._key.scopes)}
        return {name: value for name, value in given.items() if (sorted(value) if name == "scopes" else value) != own[name]}


def _as_typed(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "scopes": list(key.scopes),
        "cidrs": "\n".join(key.cidrs),
        "rotate_every_days": key.rotate_every_days,
        "revision": key.revision,
    }
