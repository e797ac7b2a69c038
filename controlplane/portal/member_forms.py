"""The forms about members."""

from __future__ import annotations

from typing import Any

from django import forms

from controlplane.portal.signin_forms import PeopleForm
from tenants.members.models import Role
from tenants.members.roles import roles_given_by

WHAT_ROLES_MAY = {
    Role.OWNER: "everything, and who else is an owner",
    Role.ADMIN: "keys, people and the second factor; nothing about owners",
    Role.DEVELOPER: "issue, rotate and revoke keys",
    Role.VIEWER: "look at keys and usage, change nothing",
}


def role_choices(acting: str) -> list[tuple[str, str]]:
    """Give the roles that somebody may give away, each with what it may do."""
    return [(role.value, f"{role.label}: {WHAT_ROLES_MAY[role]}") for role in roles_given_by(acting)]


class InviteForm(PeopleForm):
    """Whom to invite, and as what."""

    email = forms.CharField(label="E-mail address", max_length=320, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(label="Name", max_length=400, required=False, help_text="Optional; they can write it themselves.")
    role = forms.ChoiceField(label="Role", widget=forms.RadioSelect)

    def __init__(self, *args: Any, acting: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = role_choices(acting)  # type: ignore[attr-defined]  # a choice field


class RoleForm(PeopleForm):
    """Another role, and what the person who gives it saw."""

    role = forms.ChoiceField(label="Role")
    revision = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, acting: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in roles_given_by(acting)]  # type: ignore[attr-defined]


class ActForm(PeopleForm):
    """Why, and what the person who acts saw."""

    reason = forms.CharField(label="Reason", max_length=500, required=False, help_text="Optional; it is kept in the activity log.")
    revision = forms.IntegerField(widget=forms.HiddenInput)
