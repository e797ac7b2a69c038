"""The forms of signing in. Passwords are never shown again; everything else that was typed is kept."""

from __future__ import annotations

from typing import Any

from django import forms

from core.errors import DomainError

MIN_PASSWORD, MAX_PASSWORD = 12, 256
POLICY = "At least 12 characters, with upper case, lower case and a digit."


class PeopleForm(forms.Form):
    """A form that shows what a service refuses at the field that it concerns."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"id_{name}_hint"

    def add_error(self, field: str | None, error: Any) -> None:
        """Take an error, and tell whoever does not see the page which field has it."""
        super().add_error(field, error)
        if field in self.fields:
            self.fields[field].widget.attrs.update(
                {"aria-invalid": "true", "aria-describedby": f"id_{field}_error id_{field}_hint"}
            )

    def refuse(self, error: DomainError) -> None:
        """Put a refusal at its fields, or above the form."""
        if not error.errors:
            self.add_error(None, error.detail)
        for one in error.errors:
            name = one.pointer.lstrip("/")
            self.add_error(name if name in self.fields else None, one.detail)


class PasswordForm(PeopleForm):
    """Who, and the password."""

    email = forms.CharField(
        label="E-mail address", max_length=320, widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        label="Password",
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class NewPasswordForm(PeopleForm):
    """A new password, twice. What the pool's policy says of it is heard when it is set."""

    password = forms.CharField(
        label="New password",
        min_length=MIN_PASSWORD,
        max_length=MAX_PASSWORD,
        strip=False,
        help_text=POLICY,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="The same again",
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_password(self) -> str:
        """Refuse what the pool's policy refuses before it is asked: the wanted kinds of characters."""
        text = str(self.cleaned_data["password"])
        if not all(any(map(kind, text)) for kind in (str.isupper, str.islower, str.isdigit)):
            raise forms.ValidationError("The password policy wants upper case, lower case and a digit.")
        return text

    def clean(self) -> dict[str, Any]:
        """Refuse two that differ."""
        cleaned = super().clean() or {}
        if "password" in cleaned and "again" in cleaned and cleaned["password"] != cleaned["again"]:
            self.add_error("again", "The two are not the same.")
        return cleaned


class WelcomeForm(NewPasswordForm):
    """What an invited person says: a name and a password."""

    field_order = ("name", "password", "again")
    name = forms.CharField(label="Your name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))


class ForgottenForm(PeopleForm):
    """Whose password."""

    email = forms.CharField(
        label="E-mail address", max_length=320, widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )


class CodeForm(PeopleForm):
    """Six digits."""

    code = forms.RegexField(
        r"^[0-9]{6}$",
        label="Code",
        error_messages={"invalid": "A code has six digits."},
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": "10", "autofocus": True}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and args[0] is not None:
            # Authenticators show "123 456"; people type what they see.
            data = args[0].copy()
            data["code"] = str(data.get("code", "")).replace(" ", "")
            args = (data, *args[1:])
        super().__init__(*args, **kwargs)
