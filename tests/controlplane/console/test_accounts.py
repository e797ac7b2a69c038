"""Accounts on the command line: added, given roles, a lost authenticator taken away by somebody else, disabled. All audited."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console.access import Role, role_of, seed_groups
from core.audit.models import AuditEvent
from tests.controlplane.console.people import PASSWORD, account, signed_in, with_device

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db


@pytest.fixture
def operators(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Give a function that runs the command as somebody who types this password."""

    def run(*words: str, password: str = PASSWORD) -> str:
        monkeypatch.setattr("getpass.getpass", lambda _prompt: password)
        out = StringIO()
        call_command("operators", *words, stdout=out)
        return out.getvalue()

    return run


BY_OLGA = ("--by", "olga", "--reason", "lost phone, ticket 12")


def test_a_lost_authenticator_is_taken_away_by_another_operator(operators: Callable[..., str], olga: User) -> None:
    paul = account("paul", "operator")
    session = signed_in(paul)
    assert "enrols a new authenticator" in operators("reset-device", "paul", *BY_OLGA)
    assert not TOTPDevice.objects.filter(user=paul).exists()
    assert session.get(reverse("admin:index")).status_code == 302
    client = Client()
    client.post(reverse("admin:login"), {"username": "paul", "password": PASSWORD})
    assert client.get(reverse("admin:login_code")).url == reverse("admin:login_enrol")
    event = AuditEvent.objects.get(action="operator.device_reset")
    assert (event.actor_id, event.target, event.reason) == ("olga", "operator:paul", "lost phone, ticket 12")


def test_nobody_resets_their_own(operators: Callable[..., str], olga: User) -> None:
    with_device(olga)
    with pytest.raises(CommandError, match="Another operator"):
        operators("reset-device", "olga", *BY_OLGA)
    assert TOTPDevice.objects.filter(user=olga).exists()


@pytest.mark.parametrize("who", ["vera", "nobody", "dora"])
def test_only_an_active_operator_helps(operators: Callable[..., str], olga: User, who: str) -> None:
    account("vera", "viewer")
    account("dora", "operator", is_active=False)
    with_device(olga)
    with pytest.raises(CommandError, match="not an active operator"):
        operators("reset-device", "olga", "--by", who, "--reason", "because")
    assert TOTPDevice.objects.filter(user=olga).exists()


def test_the_helper_proves_who_they_are(operators: Callable[..., str], olga: User) -> None:
    account("paul", "operator")
    with pytest.raises(CommandError, match="not the password"):
        operators("disable", "paul", *BY_OLGA, password="guess")
    assert User.objects.get(username="paul").is_active


def test_an_account_is_added_and_enrols_at_the_first_sign_in(operators: Callable[..., str], olga: User) -> None:
    said = operators("add", "nina", "--name", "Nina Novak", "--role", "viewer", *BY_OLGA)
    password = said.rpartition(": ")[2].strip()
    nina = User.objects.get(username="nina")
    assert nina.check_password(password)
    assert role_of(nina) is Role.VIEWER
    assert password not in AuditEvent.objects.get(action="operator.added").details_json
    with pytest.raises(CommandError, match="exists"):
        operators("add", "NINA", *BY_OLGA)


def test_a_role_replaces_the_other(operators: Callable[..., str], olga: User) -> None:
    vera = account("vera", "viewer")
    operators("role", "vera", "operator", *BY_OLGA)
    assert list(vera.groups.values_list("name", flat=True)) == ["operator"]


@pytest.mark.parametrize("words", [("disable", "olga"), ("role", "olga", "viewer")])
def test_the_last_operator_stays(operators: Callable[..., str], olga: User, words: tuple[str, ...]) -> None:
    account("vera", "viewer")
    with pytest.raises(CommandError, match="last operator"):
        operators(*words, *BY_OLGA)


def test_the_list_shows_who_can_do_what(operators: Callable[..., str], olga: User) -> None:
    with_device(olga)
    account("vera", "viewer")
    lines = [line.split() for line in operators("list").splitlines()]
    assert [line[:3] for line in lines] == [["olga", "operator", "authenticator"], ["vera", "viewer", "no"]]


def test_the_groups_are_there_after_migrating() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {"operator", "viewer"}
    seed_groups()
    assert Group.objects.filter(name="operator").count() == 1
