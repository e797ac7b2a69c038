"""The user pool follows the members' rows: after failures and lost answers too, and never into a stranger's user."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine
from django.utils import timezone

from core.aws.errors import AwsThrottledError
from tests import faults
from tests.services import StandIn
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from core.aws.session import Aws
    from tenants.members.models import Member
    from tenants.models import Tenant


@pytest.fixture
def acme(footing: Footing, standin: StandIn, db: None) -> Tenant:
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    return real_tenant("acme")


@pytest.fixture
def dee(acme: Tenant) -> Member:
    return new_member(acme, "developer", state="invited", directory_state="unsettled", directory_due_at=timezone.now())


def pool_of(tenant: Tenant) -> str:
    from provisioning.identity import identity_of

    return identity_of(tenant).pool_id


def row(member: Member) -> Member:
    member.refresh_from_db()
    return member


def test_a_refusal_is_written_down_and_tried_again(aws: Aws, acme: Tenant, dee: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.aws.cognito import Cognito
    from provisioning import people

    def throttled(*args: object, **kwargs: object) -> None:
        raise AwsThrottledError("slow down", aws_code="TooManyRequestsException")

    with monkeypatch.context() as patch:
        patch.setattr(Cognito, "create_user", throttled)
        assert people.settle_due() == 0
    assert (row(dee).directory_state, dee.directory_failures, dee.directory_error) == ("unsettled", 1, "TooManyRequestsException")
    assert people.settle_due() == 0
    type(dee).objects.filter(pk=dee.pk).update(directory_due_at=timezone.now())
    assert people.settle_due() == 1
    assert (row(dee).directory_state, dee.directory_error) == ("settled", "")
    assert aws.cognito.find_user(pool_of(acme), dee.username) is not None


def test_a_lost_answer_makes_no_second_user(aws: Aws, acme: Tenant, dee: Member) -> None:
    from provisioning import people

    with faults.inject("cognito-idp", "AdminCreateUser", when="after", error="lost") as fault:
        assert not people.settle(dee.pk)
    assert fault.fired == 1
    assert people.settle(dee.pk)
    assert [user.username for user in aws.cognito.list_users(pool_of(acme), group=acme.pk)].count(dee.username) == 1


def test_a_strangers_user_is_left_untouched(aws: Aws, acme: Tenant, dee: Member) -> None:
    from provisioning import people

    pool = pool_of(acme)
    aws.cognito.create_user(pool, dee.username, attributes={"email": "x@x.example", "custom:tenantId": "another"}, invite=False)
    assert people.settle_due() == 0
    assert row(dee).directory_state == "unsettled"
    type(dee).objects.filter(pk=dee.pk).update(state="removed", ended_at=timezone.now())
    with time_machine.travel(timezone.now() + timedelta(seconds=1)):
        people._converge(type(dee).objects.get(pk=dee.pk), people.CLOCK)
    user = aws.cognito.find_user(pool, dee.username)
    assert user is not None
    assert user.attributes["custom:tenantId"] == "another"
    aws.cognito.delete_user(pool, dee.username)


def test_a_change_in_between_is_settled_again(acme: Tenant, dee: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    from provisioning import people
    from tenants.members.telling import unsettle

    real = people._converge

    def overtaken(member: Member, actor: object) -> None:
        real(member, actor)
        with transaction.atomic():
            unsettle(member)

    with monkeypatch.context() as patch:
        patch.setattr(people, "_converge", overtaken)
        assert not people.settle(dee.pk)
    assert row(dee).directory_state == "unsettled"
    assert people.settle_due() == 1


def test_the_people_of_a_tenant_that_goes_are_gone_from_the_shared_pool(aws: Aws, acme: Tenant, dee: Member) -> None:
    from provisioning import people
    from provisioning.services import start_deprovision, start_offboard
    from tests.cast import OPERATOR, finish

    pool = pool_of(acme)
    assert people.settle_due() == 1
    finish(start_offboard(actor=OPERATOR, tenant_id=acme.pk, reason="gone", grace=timedelta(0)))
    finish(start_deprovision(actor=OPERATOR, tenant_id=acme.pk, reason="gone"))
    people.settle_due()
    assert row(dee).state == "removed"
    assert aws.cognito.find_user(pool, dee.username) is None
    assert row(dee).directory_state == "settled"


def test_a_repair_does_not_let_a_disabled_first_administrator_in_again(aws: Aws, acme: Tenant) -> None:
    from provisioning.services import start_repair
    from tenants.members import services
    from tests.cast import OPERATOR, finish

    new_member(acme, "owner")
    first = acme.members.get(is_first=True)
    type(first).objects.filter(pk=first.pk).update(state="active")
    enabled = lambda: aws.cognito.find_user(pool_of(acme), first.username).enabled  # noqa: E731
    for act, expected in ((services.disable, False), (services.enable, True), (services.remove, False)):
        act(actor=OPERATOR, tenant_id=acme.pk, member_id=first.pk, reason="left")
        assert finish(start_repair(actor=OPERATOR, tenant_id=acme.pk, reason="drift")).state == "succeeded"
        assert enabled() is expected
    services.invite(actor=OPERATOR, tenant_id=acme.pk, email=first.email, role="viewer")
    assert finish(start_repair(actor=OPERATOR, tenant_id=acme.pk, reason="drift")).state == "succeeded"
    assert enabled() is True
