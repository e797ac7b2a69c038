"""What the forms for keys are made of. They read shapes; what may be is the services' to say."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.datastructures import MultiValueDict

from controlplane.portal import key_words
from core.errors import DomainError
from tenants.keys.scopes import MANAGEMENT, known_scopes

CUSTOM = "custom"
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


def choose(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    """Give a field of choices its choices."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
