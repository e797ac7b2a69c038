"""Operators' authenticators: enrolling one, checking a code, taking one away.

A device's secret is made anew for each enrolment and belongs to the session that began it: somebody who looked at an enrolment page and
left cannot keep a secret that the operator confirms later.
"""

from __future__ import annotations

import base64
import binascii
import enum

import segno
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

NAME = "authenticator"


class Verdict(enum.Enum):
    """What became of a code."""

    RIGHT = "right"
    WRONG = "wrong"
    THROTTLED = "throttled"


def confirmed_device(user: User) -> TOTPDevice | None:
    """Give the operator's authenticator, if there is one."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=True).order_by("pk").first()
    return found


@transaction.atomic
def enrolling_device(user: User, device_id: int | None) -> TOTPDevice:
    """Give the unconfirmed device of this enrolment; any other unconfirmed one of the operator is dropped, and a new one made."""
    mine = TOTPDevice.objects.filter(user=user, confirmed=False)
    known: TOTPDevice | None = mine.filter(pk=device_id).first() if device_id is not None else None
    if known is not None:
        return known
    mine.delete()
    made: TOTPDevice = TOTPDevice.objects.create(user=user, name=NAME, confirmed=False)
    return made


@transaction.atomic
def check_code(device_id: int, code: str, *, confirm: bool = False) -> tuple[Verdict, TOTPDevice | None]:
    """Check a code against one device, under a row lock, so that a code counts once and failures are all counted.

    With ``confirm`` the device becomes the operator's authenticator, unless another was confirmed meanwhile.
    """
    device = TOTPDevice.objects.select_for_update().filter(pk=device_id).first()
    if device is None or device.confirmed is confirm:
        return Verdict.WRONG, None
    if not device.verify_is_allowed()[0]:
        return Verdict.THROTTLED, device
    if not device.verify_token(code):
        return Verdict.WRONG, device
    if confirm:
        if TOTPDevice.objects.filter(user_id=device.user_id, confirmed=True).exists():
            return Verdict.WRONG, None
        device.confirmed = True
        device.save(update_fields=["confirmed"])
    return Verdict.RIGHT, device


def qr_code(device: TOTPDevice) -> SafeString:
    """Give the device's provisioning address as an inline SVG, black on white in both themes: cameras want that."""
    svg = segno.make(device.config_url, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308  # segno draws modules only; the address is not in the markup


def typed_secret(device: TOTPDevice) -> str:
    """Give the secret as people type it: base 32 in groups of four."""
    text = base64.b32encode(binascii.unhexlify(device.key)).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
