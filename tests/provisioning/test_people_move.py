"""A tenant's people when its tier moves it into another user pool, and back: users made anew there, gone from where they were, told once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.utils import timezone

from core.aws.errors import AwsAccessDeniedError
from tests import faults
from tests.cast import OPERATOR, finish
from tests.services import StandIn
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from core.aws.session import Aws
    from tenants.members.models import Member
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
LINK = re.compile(r"/welcome/\?link=([\w-]{43})")
OLD, NEW = "Correct-Horse-7-Battery", "Another-Horse-8-Battery"
POOL, SILO = "basic", "premium"


@pytest.fixture
def acme(footing: Footing, standin: StandIn, db: None) -> Tenant:
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    return real_tenant("acme")


@pytest.fixture
def people(acme: Tenant) -> dict[str, Member]:
    """Three who have joined and have passwords, one of them disabled, and one who is invited."""
    from provisioning import people
    from tenants.members import services
    from tests.controlplane.portal.real import with_password

    joined = {role: with_password(new_member(acme, role), OLD) for role in ("owner", "developer", "viewer")}
    services.disable(actor=OPERATOR, tenant_id=acme.pk, member_id=joined["viewer"].pk, reason="on leave")
    invited = new_member(
        acme, "admin", state="invited", joined_at=None, directory_state="unsettled", directory_due_at=timezone.now()
    )
    assert people.settle_due() == 2
    return {**joined, "admin": invited}


def started(tenant: Tenant, tier: str) -> Any:
    from provisioning.services import start_change_tier

    return start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code=tier, reason="they pay more")


def moved(tenant: Tenant, tier: str) -> str:
    """Move a tenant and let the clock settle its people; gives the pool where they are now."""
    from provisioning import people
    from provisioning.identity import identity_of

    operation = finish(started(tenant, tier))
    assert operation.state == "succeeded", operation.error_detail
    people.settle_due()
    assert not tenant.members.filter(directory_state="unsettled").exists()
    assert not tenant.members.exclude(former_pool="").exists()
    tenant.refresh_from_db()
    return identity_of(tenant).pool_id


def pool_of(tenant: Tenant) -> str:
    from provisioning.identity import identity_of

    return identity_of(tenant).pool_id


def users_in(aws: Aws, pool: str, tenant: Tenant) -> dict[str, bool]:
    """Give who of a tenant has a user in a pool, and whether it is enabled."""
    names = dict(tenant.members.values_list("username", "role"))
    users = (user for user in aws.cognito.list_users(pool) if user.attributes.get("custom:tenantId") == tenant.pk)
    return {f"{names[user.username]}": user.enabled for user in users if user.username != first_of(tenant).username}


def first_of(tenant: Tenant) -> Member:
    return tenant.members.get(is_first=True)


def can_sign_in(aws: Aws, tenant: Tenant, member: Member, password: str) -> bool:
    from provisioning.identity import identity_of

    identity = identity_of(tenant)
    try:
        found = aws.signing_in.start(
            pool_id=identity.pool_id, client_id=identity.client_id, username=member.username, password=password
        )
    except AwsAccessDeniedError:
        return False
    return found.is_complete


def links_sent(mailoutbox: list[Any]) -> dict[str, str]:
    """Let the clock send what is due, twice; give the link of each who was mailed, of whom nobody may have been mailed twice."""
    from tenants.members import mailing

    before = len(mailoutbox)
    mailing.send_due()
    assert mailing.send_due() == 0
    mails = mailoutbox[before:]
    assert len({mail.to[0] for mail in mails}) == len(mails)
    found = {mail.to[0]: LINK.search(mail.body) for mail in mails}
    return {address: match[1] for address, match in found.items() if match}


EVERYBODY = {"owner": True, "developer": True, "viewer": False, "admin": True}


def test_everybody_moves_to_the_own_pool_and_back(aws: Aws, acme: Tenant, people: dict[str, Member], mailoutbox: list[Any]) -> None:
    from provisioning.people import choose_password

    shared, dee = pool_of(acme), people["developer"]
    assert users_in(aws, shared, acme) == EVERYBODY
    own = moved(acme, SILO)
    assert own != shared
    assert users_in(aws, own, acme) == EVERYBODY
    assert users_in(aws, shared, acme) == {}
    links = links_sent(mailoutbox)
    assert set(links) == {people["owner"].email, dee.email}, "those who can come in and had a password"
    assert "has moved" in mailoutbox[-1].body
    assert not can_sign_in(aws, acme, dee, OLD)
    choose_password(tenant=acme, text=links[dee.email], password=NEW)
    assert can_sign_in(aws, acme, dee, NEW)
    dee.refresh_from_db()
    assert dee.password_left_at is None

    assert moved(acme, POOL) == shared
    assert users_in(aws, shared, acme) == EVERYBODY
    assert users_in(aws, own, acme) == {}, "the retained pool keeps nobody"
    assert not can_sign_in(aws, acme, dee, OLD)
    assert set(links_sent(mailoutbox)) == {people["owner"].email, dee.email}

    assert moved(acme, SILO) == own
    assert not can_sign_in(aws, acme, dee, NEW), "a password that was left behind does not come back with the pool"


def test_a_move_between_tiers_of_one_pool_changes_nothing(
    aws: Aws, acme: Tenant, people: dict[str, Member], mailoutbox: list[Any]
) -> None:
    own = moved(acme, SILO)
    links_sent(mailoutbox)
    assert moved(acme, "standard") == own
    assert users_in(aws, own, acme) == EVERYBODY
    assert links_sent(mailoutbox) == {}


def test_a_removed_member_is_in_neither_pool(aws: Aws, acme: Tenant, people: dict[str, Member]) -> None:
    """Also one who was removed right before, whose user the clock had still to delete."""
    from provisioning import people as directory
    from tenants.members import services

    shared, operation = pool_of(acme), started(acme, SILO)
    services.remove(actor=OPERATOR, tenant_id=acme.pk, member_id=people["developer"].pk, reason="left")
    finish(operation)
    directory.settle_due()
    assert "developer" not in users_in(aws, shared, acme)
    acme.refresh_from_db()
    assert "developer" not in users_in(aws, pool_of(acme), acme)


def test_a_move_that_is_given_up_leaves_everybody_where_they_were(
    aws: Aws, acme: Tenant, people: dict[str, Member], mailoutbox: list[Any]
) -> None:
    from provisioning import people as directory
    from provisioning.services import abandon
    from tenants.members import services

    shared = pool_of(acme)
    with faults.inject("cloudformation", "*", error="denied", times=None):
        operation = finish(started(acme, SILO))
    assert operation.state == "failed"
    services.change_role(actor=OPERATOR, tenant_id=acme.pk, member_id=people["developer"].pk, role="admin")
    directory.settle_due()  # into the pool that is being moved to
    repair = finish(abandon(actor=OPERATOR, operation_id=operation.pk, reason="too dear"))
    assert repair.state == "succeeded", repair.error_detail
    directory.settle_due()
    acme.refresh_from_db()
    assert pool_of(acme) == shared
    assert can_sign_in(aws, acme, people["developer"], OLD)
    tried = acme.resources.get(kind="user_pool").attributes.get("pool_id")
    assert tried is None or users_in(aws, tried, acme) == {}
    assert links_sent(mailoutbox) == {}


def test_nobody_is_told_twice_whatever_is_tried_again(acme: Tenant, people: dict[str, Member], mailoutbox: list[Any]) -> None:
    from provisioning import people as directory
    from provisioning.services import retry

    with faults.inject("cloudformation", "*", error="denied", times=None):
        operation = finish(started(acme, SILO))
    assert operation.state == "failed"
    assert links_sent(mailoutbox) == {}, "the pool may be there, the move is not done"
    assert finish(retry(actor=OPERATOR, operation_id=operation.pk, reason="again")).state == "succeeded"
    directory.settle_due()
    assert len(links_sent(mailoutbox)) == 2
    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        directory.settle_due()
        assert links_sent(mailoutbox) == {}


def test_a_worker_that_dies_between_the_pools_leaves_what_the_next_one_ends(
    aws: Aws, acme: Tenant, people: dict[str, Member]
) -> None:
    from provisioning import people as directory

    shared = pool_of(acme)
    finish(started(acme, SILO))
    with faults.inject("cognito-idp", "AdminDeleteUser", when="after", error="lost", times=None):
        directory.settle_due()
    left = acme.members.filter(directory_state="unsettled")
    assert left.exists()
    assert set(left.values_list("former_pool", flat=True)) == {shared}
    left.update(directory_due_at=timezone.now(), directory_claimed_until=None)
    directory.settle_due()
    acme.refresh_from_db()
    assert users_in(aws, shared, acme) == {}
    assert users_in(aws, pool_of(acme), acme) == EVERYBODY


def test_a_strangers_user_in_the_pool_that_was_left_stays(aws: Aws, acme: Tenant, people: dict[str, Member]) -> None:
    shared, dee = pool_of(acme), people["developer"]
    aws.cognito.delete_user(shared, dee.username)
    aws.cognito.create_user(shared, dee.username, attributes={"email": "x@x.example", "custom:tenantId": "another"}, invite=False)
    moved(acme, SILO)
    found = aws.cognito.find_user(shared, dee.username)
    assert found is not None
    aws.cognito.delete_user(shared, dee.username)


def test_who_was_away_is_sent_a_link_when_they_may_come_in_again(
    acme: Tenant, people: dict[str, Member], mailoutbox: list[Any]
) -> None:
    from provisioning.services import start_resume, start_suspend
    from tenants.members import services

    finish(start_suspend(actor=OPERATOR, tenant_id=acme.pk, reason="bill"))
    moved(acme, SILO)
    assert links_sent(mailoutbox) == {}, "nobody could follow it while the tenant is suspended"
    finish(start_resume(actor=OPERATOR, tenant_id=acme.pk, reason="paid"))
    assert set(links_sent(mailoutbox)) == {people["owner"].email, people["developer"].email}
    services.enable(actor=OPERATOR, tenant_id=acme.pk, member_id=people["viewer"].pk, reason="back")
    assert set(links_sent(mailoutbox)) == {people["viewer"].email}
