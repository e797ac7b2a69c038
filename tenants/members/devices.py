"""Second factors: authenticators that show a code every thirty seconds (TOTP, RFC 6238), and what a tenant has decided about them.

The secret is encrypted under the product's secret key, so that a copy of the database alone makes no codes. A code counts once: a time step
that was accepted, and all before it, are closed. Failures are counted by whoever asks (the portal's throttle).
"""

from __future__ import annotations

import base64
import secrets
import time
from urllib.parse import quote, urlencode

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django_otp.oath import hotp

from core.actors import Actor
from core.audit.services import record
from core.errors import ConflictError, InvalidInputError
from tenants.ciphers import SealBrokenError, seal, unseal
from tenants.members.models import Device, Member, MemberPolicy, MemberState
from tenants.members.services import StaleMemberError, end_sessions, locked
from tenants.members.telling import tell

STEP_SECONDS = 30
TOLERATED_STEPS = (-1, 0, 1)
"""A clock may be half a minute off, and a person slow."""
SECRET_BYTES = 20
_PURPOSE = "tenants.members.devices"


def new_secret() -> str:
    """Give a fresh secret, encrypted: what an enrolment keeps until its first code has been right."""
    return seal(secrets.token_bytes(SECRET_BYTES), purpose=_PURPOSE)


def typed_secret(secret: str) -> str:
    """Give an encrypted secret as people type it into an authenticator: base 32 in groups of four."""
    text = base64.b32encode(_plain(secret)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def address_of(secret: str, *, tenant_name: str, email: str) -> str:
    """Give the address that a QR code holds (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
    label = quote(f"{tenant_name}:{email}", safe="")
    query = urlencode({"secret": base64.b32encode(_plain(secret)).decode(), "issuer": tenant_name}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"


def enrol(*, actor: Actor, member: Member, secret: str, code: str) -> Device:
    """Make an authenticator the member's, if its first code is right. Raises InvalidInputError, ConflictError when there is one already."""
    step = _step_of(_plain(secret), code, after=-1)
    if step is None:
        raise _wrong()
    with transaction.atomic():
        Member.objects.select_for_update().get(pk=member.pk)
        if Device.objects.filter(member=member).exists():
            raise ConflictError("There is an authenticator already; take it away first.", code="illegal-transition")
        device = Device.objects.create(member=member, secret=secret, last_step=step, confirmed_at=timezone.now())
        tell(member, "member.authenticator_added", actor)
    return device


def check(*, member: Member, code: str) -> None:
    """Take a code; raises InvalidInputError when it is wrong or was used before."""
    with transaction.atomic():
        device = Device.objects.select_for_update().filter(member=member).first()
        step = None if device is None else _step_of(_plain(device.secret), code, after=device.last_step)
        if device is None or step is None:
            raise _wrong()
        device.last_step = step
        device.save(update_fields=["last_step"])


def take_away(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None) -> Member:
    """Take a member's authenticator away, because it was lost; their sessions end. Oneself may too, while the tenant does not require one."""
    with transaction.atomic():
        member = locked(actor, tenant_id, member_id, revision)
        policy = MemberPolicy.objects.filter(tenant_id=tenant_id).first()
        if actor.id == member.pk and policy is not None and policy.totp_required:
            raise ConflictError("Your organisation requires a second factor: ask a colleague to take a lost one away.")
        gone, _ = Device.objects.filter(member=member).delete()
        if gone:
            end_sessions(member)
            tell(member, "member.authenticator_removed", actor)
    return member


def is_required(tenant_id: str) -> bool:
    """Say whether everybody of a tenant needs a second factor."""
    return MemberPolicy.objects.filter(tenant_id=tenant_id, totp_required=True).exists()


def require(*, actor: Actor, tenant_id: str, totp_required: bool, revision: int | None = None) -> MemberPolicy:
    """Decide whether everybody needs a second factor. Switching it on ends the sessions of whoever has none: they enrol as they come back.

    A member who switches it on has to have one. Raises StaleMemberError, ConflictError.
    """
    with transaction.atomic():
        policy, _ = MemberPolicy.objects.select_for_update().get_or_create(tenant_id=tenant_id)
        if revision is not None and policy.revision != revision:
            raise StaleMemberError("The policy was changed by somebody else meanwhile.")
        if policy.totp_required == totp_required:
            return policy
        without = Member.objects.filter(tenant_id=tenant_id, state=MemberState.ACTIVE, device__isnull=True)
        if totp_required and without.filter(pk=actor.id).exists():
            raise ConflictError("Set up your own second factor first.", code="no-second-factor")
        policy.totp_required, policy.revision = totp_required, policy.revision + 1
        policy.save(update_fields=["totp_required", "revision"])
        if totp_required:
            for member in without:
                end_sessions(member)
        details = {"second_factor_required": totp_required}
        record(action="member_policy.changed", actor=actor, target=tenant_id, tenant_id=tenant_id, details=details)
    return policy


def _step_of(key: bytes, code: str, *, after: int) -> int | None:
    """Give the time step whose code this is, newer than ``after``; None when there is none."""
    now = int(time.time()) // STEP_SECONDS
    found = None
    for step in (now + offset for offset in TOLERATED_STEPS):
        if constant_time_compare(f"{hotp(key, step):06d}", code) and step > after:
            found = step
    return found


def _plain(secret: str) -> bytes:
    try:
        return unseal(secret, purpose=_PURPOSE)
    except SealBrokenError:
        raise ConflictError("This authenticator was set up under a key that is gone: it has to be set up anew.") from None


def _wrong() -> InvalidInputError:
    why = "That code is not right. Each code works once and for about a minute: wait for the next one."
    return InvalidInputError.at("/code", why)
