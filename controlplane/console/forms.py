"""The forms of signing in. Fields that ask for codes tell browsers and password managers what they are."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget


class PasswordForm(forms.Form):
    """The first factor."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    password = forms.CharField(
        max_length=1024, strip=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"})
    )


def code_field(*, label: str = "Code", autofocus: bool = True, required: bool = True) -> forms.CharField:
    """Give a field for a TOTP code: six digits, blanks between them allowed."""
    attrs: dict[str, Any] = {"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": "7", "spellcheck": "false"}
    if autofocus:
        attrs["autofocus"] = True
    return _Code(label=label, required=required, widget=UnfoldAdminTextInputWidget(attrs=attrs))


class _Code(forms.CharField):
    default_validators = [RegexValidator(r"\A[0-9]{6}\Z", "A code has six digits.")]

    def to_python(self, value: Any) -> str:
        """Take out the blank that many apps show in the middle."""
        return str(super().to_python(value) or "").replace(" ", "")


class CodeForm(forms.Form):
    """The second factor."""

    code = code_field(label="Code from your authenticator")
