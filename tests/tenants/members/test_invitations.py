"""A first administrator who never came: where the invitation stands, sending it again, and asking for another one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.actors import Actor, ActorKind, operator
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

OLGA = operator("olga", "Olga")
WEEK = timedelta(days=7)


@pytest.fixture
def first(acme: Tenant) -> Member:
    """Invited by the onboarding eight days ago, and never seen."""
    then = timezone.now() - timedelta(days=8)
    return new_member(
        acme,
        "owner",
        email="admin@acme.example",
        state="invited",
        is_first=True,
        joined_at=None,
        invited_at=then,
        invitation_expires_at=then + WEEK,
    )


def again(member: Member) -> Member:
    from tenants.members.models import Member

    return Member.objects.select_related("tenant").get(pk=member.pk)


def mailed(mailoutbox: list[Any]) -> str:
    from tenants.members import mailing

    assert mailing.send_due() == 1
    found = re.search(r"\?link=([\w-]{43})", mailoutbox[-1].body)
    assert found is not None, mailoutbox[-1].body
    return found[1]


def send(tenant: Tenant, reason: str = "never came", actor: Actor = OLGA) -> Member:
    from tenants.members import invitations

    return invitations.send_first_again(actor=actor, tenant_id=tenant.pk, reason=reason)


def ask(tenant: Tenant, email: str) -> None:
    from tenants.members import signing_in

    signing_in.ask_for_link(tenant_id=tenant.pk, email=email, address="192.0.2.1")


def standing(member: Member) -> str:
    from tenants.members import invitations

    return str(invitations.invitation_of(again(member)).standing)


def test_an_invitation_says_how_it_stands_from_one_end_to_the_other(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import invitations, signing_in
    from tenants.members.models import Member

    stands = invitations.invitation_of(first)
    assert (stands.standing, stands.sent_at, stands.ends_at) == ("expired", first.invited_at, first.invitation_expires_at)
    send(acme)
    assert (standing(first), invitations.invitation_of(again(first)).sent_at) == ("sending", None)
    Member.objects.filter(pk=first.pk).update(mail_failures=1)
    assert standing(first) == "delayed"
    text = mailed(mailoutbox)
    stands = invitations.invitation_of(again(first))
    assert (stands.standing, stands.sent_at) == ("open", again(first).mail_sent_at)
    with time_machine.travel(timezone.now() + WEEK + timedelta(seconds=1)):
        assert standing(first) == "expired"
    signing_in.follow_link(tenant_id=acme.pk, text=text)
    assert (standing(first), again(first).state) == ("none", "active")


def test_sending_again_has_a_new_end_a_reason_and_an_event(acme: Tenant, first: Member) -> None:
    from core.audit.models import AuditEvent
    from core.outbox.models import OutboxEvent

    now = timezone.now()
    with time_machine.travel(now, tick=False):
        send(acme, "the mail was lost")
    assert again(first).invitation_expires_at == now + WEEK
    event = AuditEvent.objects.get(action="member.invited_again")
    assert (str(event.actor), event.target, event.reason, event.tenant_id) == (
        "operator:olga",
        first.pk,
        "the mail was lost",
        acme.pk,
    )
    assert OutboxEvent.objects.get(type="member.invited_again").subject == first.pk


def test_the_newest_link_is_the_good_one(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links

    send(acme)
    older = mailed(mailoutbox)
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        send(acme)
        with pytest.raises(links.LinkNotGoodError):
            links.get_by_link(acme.pk, older)
        newer = mailed(mailoutbox)
        assert links.get_by_link(acme.pk, newer).pk == first.pk


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "active"}, "has joined already"),
        ({"state": "disabled"}, "has joined already"),
        ({"state": "removed", "ended_at": timezone.now()}, "was removed"),
    ],
)
def test_whoever_has_joined_or_left_is_not_invited_again(acme: Tenant, first: Member, change: dict[str, Any], said: str) -> None:
    from core.audit.models import AuditEvent
    from tenants.members.models import Member

    Member.objects.filter(pk=first.pk).update(**change)
    with pytest.raises(ConflictError, match=said):
        send(acme)
    assert again(first).mail_wanted == ""
    assert not AuditEvent.objects.filter(action__startswith="member.").exists()


@pytest.mark.parametrize("state", ["suspended", "offboarding", "provisioning", "closed"])
def test_nobody_is_invited_again_while_the_tenant_is_not_active(acme: Tenant, first: Member, state: str) -> None:
    from tenants.models import Tenant

    due = timezone.now() if state == "offboarding" else None
    Tenant.objects.filter(pk=acme.pk).update(state=state, offboard_due_at=due)
    with pytest.raises(ConflictError, match=state):
        send(acme)
    assert again(first).mail_wanted == ""


def test_sending_again_wants_a_reason_a_pause_and_a_hand_that_may(
    acme: Tenant, globex: Tenant, first: Member, admin: Member
) -> None:
    with pytest.raises(InvalidInputError):
        send(acme, "  ")
    with pytest.raises(NotFoundError):
        send(globex)
    with pytest.raises(ForbiddenError):
        send(acme, actor=Actor(ActorKind.MEMBER, admin.pk))
    send(acme)
    with pytest.raises(ConflictError, match="Wait a minute"):
        send(acme)


def test_another_owner_may_send_the_firsts_again(acme: Tenant, first: Member, owner: Member) -> None:
    from tenants.members import services

    services.invite_again(actor=Actor(ActorKind.MEMBER, owner.pk), tenant_id=acme.pk, member_id=first.pk)
    assert standing(first) == "sending"


def test_a_first_administrator_who_never_came_can_ask_for_another_invitation(
    acme: Tenant, first: Member, mailoutbox: list[Any]
) -> None:
    from core.audit.models import AuditEvent
    from tenants.members import signing_in

    ask(acme, "ADMIN@acme.example")
    assert AuditEvent.objects.get(action__startswith="member.").action == "member.invitation_link_asked"
    text = mailed(mailoutbox)
    assert "You are invited" in mailoutbox[0].subject
    assert "/portal/acme/sign-in/forgotten/" in mailoutbox[0].body
    assert standing(first) == "open"
    assert signing_in.follow_link(tenant_id=acme.pk, text=text).state == "active"


def test_a_colleagues_invitation_is_mailed_again_as_long_as_it_lasts_and_no_longer(acme: Tenant, mailoutbox: list[Any]) -> None:
    from tenants.members import links

    ends = timezone.now() + timedelta(days=2)
    dee = new_member(acme, "developer", state="invited", joined_at=None, invitation_expires_at=ends)
    ask(acme, dee.email)
    text = mailed(mailoutbox)
    assert again(dee).invitation_expires_at == ends
    assert links.get_by_link(acme.pk, text).link_expires_at == ends
    with time_machine.travel(ends + timedelta(seconds=1)):
        ask(acme, dee.email)
        assert again(dee).mail_wanted == ""
        assert standing(dee) == "expired"


def test_asking_costs_the_same_whether_or_not_there_is_somebody(
    acme: Tenant, first: Member, viewer: Member, django_capture_on_commit_callbacks: Any
) -> None:
    """As many statements, and as many messages after the commit: nothing is left by which a clock could tell."""
    costs = {}
    disabled = new_member(acme, "viewer", state="disabled")
    for email in (first.email, viewer.email, viewer.email, disabled.email, "nobody@acme.example"):
        with (
            CaptureQueriesContext(
                connection,
            ) as asked,
            django_capture_on_commit_callbacks() as rung,
        ):
            ask(acme, email)
        costs.setdefault(email, []).append(([query["sql"].split()[0] for query in asked], len(rung)))
    assert costs[viewer.email][0] == costs[viewer.email][1]
    assert len({str(cost) for found in costs.values() for cost in found}) == 1
    assert ["UPDATE" in words for words, _ in costs["nobody@acme.example"]] == [True]


def test_only_the_holder_of_a_link_hears_that_the_invitation_is_over(
    acme: Tenant, globex: Tenant, first: Member, mailoutbox: list[Any]
) -> None:
    from tenants.members import links, services

    send(acme)
    text = mailed(mailoutbox)
    assert links.find_expired_invitation(acme.pk, text) is None
    with time_machine.travel(timezone.now() + WEEK + timedelta(seconds=1)):
        assert links.find_expired_invitation(acme.pk, text) == first
        for tenant, other in ((globex, text), (acme, text[:-1] + "!"), (acme, ""), (acme, "x" * 500)):
            assert links.find_expired_invitation(tenant.pk, other) is None
        services.invite_again(actor=OLGA, tenant_id=acme.pk, member_id=first.pk)
        assert links.find_expired_invitation(acme.pk, text) is None


def test_a_temporary_password_lasts_as_long_as_an_invitation() -> None:
    """Pages speak of one time for both."""
    from provisioning.resources.user_pool import SETTINGS
    from tenants.members import links
    from tenants.members.models import LinkPurpose

    assert timedelta(days=SETTINGS.temporary_password_days) == links.LASTS[LinkPurpose.INVITATION] == WEEK
