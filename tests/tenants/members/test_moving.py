"""What rows say when a tenant's sign-in moves into another user pool: who is sent a link, for how long it is good, and what the pages say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.actors import operator
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

OLGA = operator("olga")
NOW = datetime(2026, 11, 26, 18, 40, tzinfo=UTC)


@pytest.fixture
def dee(acme: Tenant) -> Member:
    return new_member(acme, "developer", mail_sent_at=NOW - timedelta(days=30))


def move(tenant: Tenant) -> int:
    from tenants.members import moving

    with transaction.atomic():
        return moving.note_moved(actor=OLGA, tenant=tenant, left_pool="pool_OLD", reason="they pay more")


def note_of(member: Member) -> str:
    from controlplane.portal.member_words import line_of

    member.refresh_from_db()
    return line_of(member, me=member).note


def test_five_hundred_cost_the_statements_of_five_and_are_mailed_in_slices(acme: Tenant, mailoutbox: list[Any]) -> None:
    from tenants.members import mailing

    def counted() -> int:
        with CaptureQueriesContext(connection) as seen:
            move(acme)
        return len(seen)

    for _ in range(5):
        new_member(acme, "viewer")
    few = counted()
    for _ in range(245):
        new_member(acme, "viewer")
    assert counted() == few
    slices = [mailing.send_due() for _ in range(4)]
    assert slices == [100, 100, 50, 0]
    assert len({mail.to[0] for mail in mailoutbox}) == len(mailoutbox) == 250


def test_the_link_of_a_move_waits_as_long_as_an_invitation_and_one_that_is_asked_for_an_hour(
    acme: Tenant, dee: Member, mailoutbox: list[Any]
) -> None:
    from tenants.members import mailing, signing_in

    with time_machine.travel(NOW, tick=False) as clock:
        move(acme)
        assert mailing.send_due() == 1
        dee.refresh_from_db()
        assert dee.link_expires_at == NOW + timedelta(days=7)
        assert "passwords could not move with it" in mailoutbox[-1].body
        clock.shift(timedelta(days=8))
        signing_in.ask_for_link(tenant_id=acme.pk, email=dee.email, address="192.0.2.1")
        assert mailing.send_due() == 1
        dee.refresh_from_db()
        assert dee.link_expires_at == NOW + timedelta(days=8, hours=1)
        assert "somebody asked for a new password" in mailoutbox[-1].body


def test_a_second_move_sends_another_link_and_ends_the_first(acme: Tenant, dee: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links, mailing
    from tests.tenants.members.test_links import LINK

    with time_machine.travel(NOW, tick=False) as clock:
        for _ in range(2):
            move(acme)
            assert mailing.send_due() == 1
            clock.shift(timedelta(hours=1))
        first, second = (LINK.search(mail.body)[1] for mail in mailoutbox)  # type: ignore[index]
        assert links.get_by_link(acme.pk, second).pk == dee.pk
        with pytest.raises(links.LinkNotGoodError):
            links.get_by_link(acme.pk, first)


def test_whoever_comes_in_with_another_password_needs_no_link(acme: Tenant, dee: Member) -> None:
    from tenants.members import mailing, signing_in

    move(acme)
    signing_in.note_signed_in(member_id=dee.pk, how="provider", address="192.0.2.1")
    dee.refresh_from_db()
    assert dee.password_left_at is not None, "without a password, it is still missing"
    signing_in.note_signed_in(member_id=dee.pk, how="password and code", address="192.0.2.1")
    dee.refresh_from_db()
    assert (dee.password_left_at, dee.mail_wanted) == (None, "")
    assert mailing.send_due() == 0


def test_the_page_says_how_it_stands_until_another_password_is_chosen(
    acme: Tenant, dee: Member, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.mail import EmailMessage

    from tenants.members import mailing, signing_in
    from tests.tenants.members.test_links import LINK

    def refused(self: EmailMessage, fail_silently: bool = False) -> int:
        raise OSError

    with time_machine.travel(NOW, tick=False) as clock:
        assert note_of(dee) == ""
        move(acme)
        assert "is on its way, because your organisation's sign-in moved" in note_of(dee)
        with monkeypatch.context() as patch:
            patch.setattr(EmailMessage, "send", refused)
            mailing.send_due()
        assert "could not be sent yet" in note_of(dee)
        clock.shift(timedelta(minutes=5))
        assert mailing.send_due() == 1
        assert note_of(dee) == "New password link sent, because your organisation's sign-in moved."
        clock.shift(timedelta(days=8))
        assert "The link has ended" in note_of(dee)
        clock.shift(timedelta(days=-2))
        signing_in.follow_link(tenant_id=acme.pk, text=LINK.search(mailoutbox[-1].body)[1])  # type: ignore[index]
        assert note_of(dee) == ""


def test_a_suspended_tenants_people_need_a_password_and_are_not_mailed(acme: Tenant, dee: Member) -> None:
    type(acme).objects.filter(pk=acme.pk).update(state="suspended")
    acme.refresh_from_db()
    assert move(acme) == 1
    dee.refresh_from_db()
    assert (dee.mail_wanted, dee.former_pool) == ("", "pool_OLD")
    assert note_of(dee).startswith("Needs a new password, because")


def test_it_is_written_down_once_for_the_tenant(acme: Tenant, dee: Member) -> None:
    from core.audit.models import AuditEvent
    from core.outbox.models import OutboxEvent

    move(acme)
    (entry,) = AuditEvent.objects.filter(tenant_id=acme.pk, action="member.sign_in_moved")
    assert (entry.reason, entry.details) == ("they pay more", {"members": 1})
    assert OutboxEvent.objects.filter(type="member.sign_in_moved", tenant_id=acme.pk).count() == 1
