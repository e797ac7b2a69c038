"""Operators, viewers and strangers, and how they come in."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console.access import VERIFIED_AT, seed_groups

PASSWORD = "correct horse battery staple"


def account(name: str, role: str | None = None, **values: Any) -> User:
    """An account with a role, without a device."""
    seed_groups()
    user = User.objects.create_user(name, f"{name}@example.com", PASSWORD, is_staff=True, **values)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def with_device(user: User) -> TOTPDevice:
    """Give the account an authenticator."""
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="authenticator", confirmed=True)
    return device


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    """The code that the authenticator shows now, or some steps of 30 s later."""
    device.refresh_from_db()
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, device.drift + steps):06d}"


def signed_in(user: User, *, minutes_ago: float = 0) -> Client:
    """A client whose session has passed both factors, so long ago."""
    device = TOTPDevice.objects.filter(user=user, confirmed=True).first() or with_device(user)
    client = Client()
    client.force_login(user)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session[VERIFIED_AT] = time.time() - 60 * minutes_ago
    session.save()
    return client
