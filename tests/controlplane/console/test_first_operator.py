"""``manage.py operators first``: the one account that nobody vouches for, and only while there is none."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from controlplane.console.access import Role, role_of
from core.audit.models import AuditEvent
from tests.controlplane.console.people import account

pytestmark = pytest.mark.django_db


def first(name: str = "olga") -> str:
    out = StringIO()
    call_command("operators", "first", name, "--name", "Olga Orlova", "--reason", "new installation", stdout=out)
    return out.getvalue()


def test_the_first_operator_signs_in_and_must_enrol_an_authenticator() -> None:
    password = re.search(r"shown once: (\S+)", first())
    assert password is not None
    assert role_of(User.objects.get()) is Role.OPERATOR
    client = Client()
    answer = client.post(reverse("admin:login"), {"username": "olga", "password": password.group(1)}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("admin:login_enrol")
    assert client.get(reverse("admin:index")).status_code == 302


def test_it_is_audited_without_the_password() -> None:
    password = first().rsplit(" ", 1)[1].strip()
    event = AuditEvent.objects.get(action="operator.added")
    assert (event.actor_kind, event.target, event.reason) == ("operator", "operator:olga", "new installation")
    assert password not in str(event.__dict__)


def test_with_an_operator_there_is_no_other_first_one() -> None:
    first()
    with pytest.raises(CommandError, match="operator already"):
        first("mallory")
    assert not User.objects.filter(username="mallory").exists()


def test_viewers_and_closed_accounts_are_no_operators() -> None:
    account("vera", "viewer")
    account("otto", "operator", is_active=False)
    assert "olga" in first()
