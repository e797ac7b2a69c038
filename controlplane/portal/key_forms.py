"""The forms for keys: issue, edit, rotate, revoke, and acts that want a reason. They read shapes; what may be is the services' to say."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from controlplane.portal import key_words
from core.errors import DomainError
from tenants.keys import selectors
from tenants.keys.models import ApiKey, KeyEnvironment, LeakAction
from tenants.keys.scopes import MANAGEMENT, known_scopes
from tenants.models import Tier

EXPIRY_DAYS = (30, 90, 365)
OVERLAPS_SECONDS = (0, 3_600, 86_400, 7 * 86_400)
CUSTOM, NEVER, KEEP = "custom", "never", "keep"
NONCE = re.compile(r"[0-9a-f]{32}")
PLACES = {"overlap_seconds": "overlap", "retire_when_quiet": "retire_when_quiet"}
PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class PortalForm(forms.Form):
    """A form that shows what a service refuses at the field that it concerns, with everything that was typed still there."""

    required_css_class = "is-required"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["label_suffix"] = ""
        super().__init__(*args, **kwargs)

    def retype(self, name: str, value: object) -> None:
        """Put a hidden value of ours in the place of the one that was sent; what people typed is left alone."""
        data = MultiValueDict(dict(self.data.lists())) if isinstance(self.data, MultiValueDict) else MultiValueDict()
        data[name] = str(value)
        self.data = data

    def refuse(self, error: DomainError) -> None:
        """Put a service's refusal where it belongs: at its fields, or above the form."""
        if not error.errors:
            self.add_error(None, error.detail)
        for one in error.errors:
            name = one.pointer.lstrip("/").partition("/")[0]
            name = PLACES.get(name, name)
            self.add_error(name if name in self.fields else None, one.detail)


def new_nonce() -> str:
    """Give the number of a fresh form: the same form sent twice makes one key."""
    return secrets.token_hex(16)


def scope_choices(also: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Give every scope with what it allows; the ones that manage keys last. ``also`` are a key's own that are no longer known."""
    words = sorted(known_scopes(settings.KEY_SCOPES) | set(also), key=lambda word: (word in MANAGEMENT, word))
    return [(word, key_words.scope_of(word)) for word in words]


class KeyFields(PortalForm):
    """What issue and edit share."""

    name = forms.CharField(label="Name", strip=True, help_text="What uses it, for example “Course player, production”.")
    scopes = forms.MultipleChoiceField(label="What it may do", required=False, widget=forms.CheckboxSelectMultiple)
    cidrs = forms.CharField(
        label="Only from these addresses",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, **PLAIN}),
        help_text="One address or range a line, IPv4 or IPv6, such as 203.0.113.0/24. Empty means from anywhere.",
    )
    rotate_every_days = forms.IntegerField(
        label="Rotate by itself every … days",
        required=False,
        widget=forms.NumberInput(attrs={"min": 1, "max": 3650}),
        help_text="For programs that read the key from Secrets Manager. Leave it empty to rotate by hand.",
    )
    expires_on = forms.DateField(
        label="On this day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="It is accepted until that day is over, in UTC.",
    )

    def clean_cidrs(self) -> list[str]:
        """Give the lines that are not empty; commas part as well."""
        return [text for text in re.split(r"[\s,;]+", str(self.cleaned_data["cidrs"])) if text]

    def end_of_day(self) -> datetime | None:
        """Give the end of the chosen day; names the field when none was chosen."""
        day = self.cleaned_data.get("expires_on")
        if day is None:
            if "expires_on" not in self.errors:
                self.add_error("expires_on", "Choose the day.")
            return None
        if day.year > 9000:
            self.add_error("expires_on", "This is too far ahead.")
            return None
        return datetime.combine(day + timedelta(days=1), time(), UTC)


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
        _choose(self, "scopes", scope_choices())
        most = tier.key_max_age_days
        days = [(str(number), f"in {number} days") for number in EXPIRY_DAYS]
        never = f"never by itself; each version of it lives {most} days at most, then it has to be rotated"
        _choose(self, "expiry", [*days, (NEVER, never), (CUSTOM, "on a day of your choice")])
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
        _choose(self, "scopes", scope_choices(tuple(key.scopes)))
        end = f"{key.expires_at:%-d %b %Y, %H:%M} UTC" if key.expires_at else "none of its own"
        _choose(self, "expiry", [(KEEP, f"stays as it is: {end}"), (CUSTOM, "comes nearer, to a day of your choice")])

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
        _choose(self, "overlap", overlap_choices(self._longest))
        self.fields["overlap"].initial = str(min(86_400, self._longest))
        self.fields[
            "overlap"
        ].help_text = "Both versions are accepted for that time, so that you can move your programs one by one."
        self.fields["custom_hours"].help_text = f"At most {key_words.span(self._longest)} on {tier.name}."
        quiet = key_words.span(tier.key_quiet_seconds)
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
            self.add_error("custom_hours", f"At most {key_words.span(self._longest)}.")
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
    named = [(str(seconds), key_words.span(seconds) if seconds else "no time: it ends now") for seconds in offered]
    return [*named, (CUSTOM, "a time of your choice")] if longest_seconds else named


def _choose(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


def _as_typed(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "scopes": list(key.scopes),
        "cidrs": "\n".join(key.cidrs),
        "rotate_every_days": key.rotate_every_days,
        "revision": key.revision,
    }
