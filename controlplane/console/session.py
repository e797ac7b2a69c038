"""What a session of the console knows beyond Django's own: the second factor, when it was last given, and from where."""

from __future__ import annotations

import time

import django_otp
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console import devices
from controlplane.console.access import VERIFIED_AT
from controlplane.console.devices import Verdict


def enter(request: HttpRequest, device: TOTPDevice) -> None:
    """Mark the session as having passed the second factor now."""
    django_otp.login(request, device)
    request.session[VERIFIED_AT] = time.time()


def refresh(request: HttpRequest, code: str) -> Verdict:
    """Take a code for a destructive act; a right one makes the session fresh again."""
    device = getattr(request.user, "otp_device", None)
    if not isinstance(device, TOTPDevice):
        return Verdict.WRONG
    verdict, passed = devices.check_code(device.pk, code)
    if verdict is Verdict.RIGHT and passed is not None:
        request.session[VERIFIED_AT] = time.time()
    return verdict


def address_of(request: HttpRequest) -> str:
    """Give the address that the request came from (``controlplane.proxies`` has put the caller's there)."""
    return str(request.META.get("REMOTE_ADDR", "")) or "unknown"
