"""Second factors: codes that count once, secrets that a copy of the database does not hold, and the policy."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest
import time_machine
from django_otp.oath import totp

from core.errors import ConflictError, InvalidInputError
from tests.tenants.members.test_services import again, by
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant


def code_of(secret: str) -> str:
    from tenants.members import devices

    return f"{totp(base64.b32decode(devices.typed_secret(secret).replace(' ', ''))):06d}"


def enrolled(member: Member) -> str:
    """Give a member an authenticator; the code of this moment is used up by it."""
    from tenants.members import devices

    secret = devices.new_secret()
    devices.enrol(actor=by(member), member=member, secret=secret, code=code_of(secret))
    return secret


def test_a_code_is_good_once(owner: Member) -> None:
    from tenants.members import devices

    with time_machine.travel(time.time()) as clock:
        secret = enrolled(owner)
        with pytest.raises(InvalidInputError):
            devices.check(member=owner, code=code_of(secret))
        clock.shift(30)
        devices.check(member=owner, code=code_of(secret))
        with pytest.raises(InvalidInputError):
            devices.check(member=owner, code=code_of(secret))


@pytest.mark.parametrize("seconds", [-90, 90])
def test_a_code_of_another_time_is_refused(owner: Member, seconds: int) -> None:
    from tenants.members import devices

    with time_machine.travel(time.time()) as clock:
        secret = enrolled(owner)
        clock.shift(600)
        code = code_of(secret)
        clock.shift(seconds)
        with pytest.raises(InvalidInputError):
            devices.check(member=owner, code=code)


def test_a_wrong_first_code_enrols_nothing(owner: Member) -> None:
    from tenants.members import devices, selectors

    secret = devices.new_secret()
    wrong = f"{(int(code_of(secret)) + 1) % 1_000_000:06d}"
    with pytest.raises(InvalidInputError):
        devices.enrol(actor=by(owner), member=owner, secret=secret, code=wrong)
    assert not selectors.has_device(owner)


def test_the_row_does_not_hold_the_secret(owner: Member) -> None:
    from tenants.members import devices
    from tenants.members.models import Device

    secret = enrolled(owner)
    assert devices.typed_secret(secret).replace(" ", "") not in str(Device.objects.filter(member=owner).values()[0])


def test_requiring_it_of_everybody_ends_the_sessions_of_those_without(acme: Tenant, owner: Member, viewer: Member) -> None:
    from tenants.members import devices

    with pytest.raises(ConflictError):
        devices.require(actor=by(owner), tenant_id=acme.pk, totp_required=True)
    enrolled(owner)
    devices.require(actor=by(owner), tenant_id=acme.pk, totp_required=True, revision=1)
    assert (again(owner).epoch, again(viewer).epoch) == (1, 2)
    with pytest.raises(ConflictError):
        devices.require(actor=by(owner), tenant_id=acme.pk, totp_required=False, revision=1)
    assert devices.is_required(acme.pk)


def test_a_lost_authenticator_is_taken_away_by_whoever_looks_after_the_member(acme: Tenant, owner: Member, admin: Member) -> None:
    from core.errors import ForbiddenError
    from tenants.members import devices, selectors

    viewer = new_member(acme, "viewer")
    enrolled(viewer)
    enrolled(owner)
    with pytest.raises(ForbiddenError):
        devices.take_away(actor=by(admin), tenant_id=acme.pk, member_id=owner.pk)
    devices.take_away(actor=by(admin), tenant_id=acme.pk, member_id=viewer.pk)
    assert not selectors.has_device(viewer)
    assert again(viewer).epoch == 2


def test_whoever_has_to_have_one_cannot_drop_it(acme: Tenant, owner: Member) -> None:
    from tenants.members import devices, selectors

    enrolled(owner)
    devices.require(actor=by(owner), tenant_id=acme.pk, totp_required=True)
    with pytest.raises(ConflictError):
        devices.take_away(actor=by(owner), tenant_id=acme.pk, member_id=owner.pk)
    assert selectors.has_device(owner)
