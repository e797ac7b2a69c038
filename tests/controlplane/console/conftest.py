"""The cast at the console: an operator, a viewer, somebody with a password only, a stranger; acme, globex and initech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from tenants.models import Cell, Tenant
    from tests.controlplane.console.pretend import PretendAws


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[PretendAws]:
    from tests.controlplane.console.pretend import pretended_aws

    with pretended_aws(monkeypatch) as aws:
        yield aws


@pytest.fixture
def cell(world: PretendAws) -> Cell:
    from tests.cast import ready_cell

    return ready_cell(quotas={"user_pools": 1000, "roles": 1000, "secrets": 500_000})


@pytest.fixture
def acme(cell: Cell) -> Tenant:
    from tests.cast import onboarded

    return onboarded("acme")


@pytest.fixture
def globex(cell: Cell) -> Tenant:
    from tests.cast import onboarded

    return onboarded("globex")


@pytest.fixture
def initech(cell: Cell) -> Tenant:
    from provisioning.services import start_suspend
    from tests.cast import OPERATOR, finish, onboarded

    tenant = onboarded("initech")
    finish(start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="unpaid"))
    tenant.refresh_from_db()
    return tenant


@pytest.fixture
def olga(db: None) -> User:
    from tests.controlplane.console.people import account

    return account("olga", "operator", first_name="Olga", last_name="Orlova")


@pytest.fixture
def operator(olga: User) -> Client:
    from tests.controlplane.console.people import signed_in

    return signed_in(olga)


@pytest.fixture
def viewer(db: None) -> Client:
    from tests.controlplane.console.people import account, signed_in

    return signed_in(account("vera", "viewer"))


@pytest.fixture
def password_only(db: None) -> Client:
    """An operator whose session has the password alone, as another door might have made it."""
    from tests.controlplane.console.people import account, with_device

    user = account("paul", "operator")
    with_device(user)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def _quick_passwords(settings: SettingsWrapper) -> None:
    """Argon2 is slow on purpose; who is let in is not the hasher's business."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
