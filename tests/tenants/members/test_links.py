"""Links: who knows them, when they are good, and the mail that carries them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.utils import timezone

from core.actors import operator

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

OLGA = operator("olga")
LINK = re.compile(r"/portal/acme/welcome/\?link=([\w-]{43})")


@pytest.fixture
def invited(acme: Tenant) -> Member:
    from tenants.members import services

    return services.invite(actor=OLGA, tenant_id=acme.pk, email="dev@acme.example", role="developer")


def mailed(mailoutbox: list[Any]) -> str:
    from tenants.members import mailing

    assert mailing.send_due() == 1
    found = LINK.search(mailoutbox[-1].body)
    assert found is not None, mailoutbox[-1].body
    return found[1]


def test_the_text_of_a_link_is_in_the_mail_and_nowhere_else(invited: Member, mailoutbox: list[Any]) -> None:
    from core.audit.models import AuditEvent
    from core.outbox.models import OutboxEvent
    from tenants.members.models import Member

    text = mailed(mailoutbox)
    assert mailoutbox[0].to == ["dev@acme.example"]
    row = Member.objects.filter(pk=invited.pk).values()[0]
    written = [row, *AuditEvent.objects.values(), *OutboxEvent.objects.values()]
    assert all(text not in str(one) for one in written)
    assert (row["mail_wanted"], row["mail_sent_at"] is not None) == ("", True)


def test_a_link_is_good_once(acme: Tenant, invited: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links, signing_in

    text = mailed(mailoutbox)
    joined = signing_in.follow_link(tenant_id=acme.pk, text=text, name="Dee")
    assert (joined.state, joined.name) == ("active", "Dee")
    with pytest.raises(links.LinkNotGoodError):
        signing_in.follow_link(tenant_id=acme.pk, text=text)


def test_a_link_ends(acme: Tenant, invited: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links

    text = mailed(mailoutbox)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)), pytest.raises(links.LinkNotGoodError):
        links.get_by_link(acme.pk, text)
    assert links.get_by_link(acme.pk, text).pk == invited.pk


def test_another_tenants_link_is_none(acme: Tenant, globex: Tenant, invited: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links

    text = mailed(mailoutbox)
    for foreign in (lambda: links.get_by_link(globex.pk, text), lambda: links.get_by_link(acme.pk, "")):
        with pytest.raises(links.LinkNotGoodError):
            foreign()


def test_sending_again_ends_the_link_before(acme: Tenant, invited: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links, services

    first = mailed(mailoutbox)
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        services.invite_again(actor=OLGA, tenant_id=acme.pk, member_id=invited.pk)
        second = mailed(mailoutbox)
        with pytest.raises(links.LinkNotGoodError):
            links.get_by_link(acme.pk, first)
        assert links.get_by_link(acme.pk, second).pk == invited.pk


def test_cancelling_ends_the_link(acme: Tenant, invited: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import links, services

    text = mailed(mailoutbox)
    services.remove(actor=OLGA, tenant_id=acme.pk, member_id=invited.pk)
    with pytest.raises(links.LinkNotGoodError):
        links.get_by_link(acme.pk, text)


def test_a_mail_that_is_not_taken_stays_wanted_and_is_tried_again(
    invited: Member, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.mail import EmailMessage

    from tenants.members import mailing
    from tenants.members.models import Member

    def broken(self: EmailMessage, fail_silently: bool = False) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", broken)
        assert mailing.send_due() == 0
    row = Member.objects.get(pk=invited.pk)
    assert (row.mail_wanted, row.mail_failures, row.mail_error) == ("invitation", 1, "ConnectionRefusedError")
    assert mailing.send_due() == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=16)):
        assert mailing.send_due() == 1
    assert Member.objects.get(pk=invited.pk).mail_wanted == ""


def test_a_forgotten_password_has_a_link_sent_to_members_alone(acme: Tenant, viewer: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import mailing, signing_in

    for email in (viewer.email.upper(), "nobody@acme.example"):
        signing_in.ask_for_link(tenant_id=acme.pk, email=email, address="192.0.2.1")
    text = mailed(mailoutbox)
    before = viewer.epoch
    after = signing_in.follow_link(tenant_id=acme.pk, text=text)
    assert (after.state, after.epoch) == ("active", before + 1)
    assert mailing.send_due() == 0
