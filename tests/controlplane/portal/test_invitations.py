"""The way in for somebody who was invited and never came, over HTTP, with real passwords in the stand-in's user pools."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests import faults
from tests.services import StandIn

if TYPE_CHECKING:
    import redis

    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Member
    from tenants.models import Tenant

PASSWORD = "Correct-Horse-7-Battery"  # of people who do not exist
SIGN_IN, ASK, WELCOME = "/portal/acme/sign-in/", "/portal/acme/sign-in/forgotten/", "/portal/acme/welcome/"


@pytest.fixture(autouse=True)
def _fresh_counts(clean_redis: redis.Redis) -> None:
    """Nobody has failed yet."""


@pytest.fixture
def acme(footing: Footing, standin: StandIn, db: None) -> Tenant:
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    return real_tenant("acme")


@pytest.fixture
def first(acme: Tenant) -> Member:
    from tenants.members.selectors import find_first

    found = find_first(acme.pk)
    assert found is not None
    return found


def mailed(mailoutbox: list[Any]) -> str:
    from tenants.members import mailing

    assert mailing.send_due() == 1
    found = re.search(r"\?link=([\w-]+)", mailoutbox[-1].body)
    assert found is not None
    return found[1]


def send_again(tenant: Tenant) -> None:
    from tenants.members import invitations
    from tests.cast import OPERATOR

    invitations.send_first_again(actor=OPERATOR, tenant_id=tenant.pk, reason="never came")


def sign_in(client: Client, password: str, email: str = "admin@acme.example") -> Any:
    return client.post(SIGN_IN, {"email": email, "password": password})


def test_the_first_administrator_comes_in_by_a_mailed_link(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    from provisioning import drift, people
    from provisioning.identity import set_first_password
    from tests.cast import OPERATOR

    given = set_first_password(actor=OPERATOR, tenant_id=acme.pk, reason="handed over")
    send_again(acme)
    client, text = Client(), mailed(mailoutbox)
    client.get(f"{WELCOME}?link={text}")
    assert "invited as <strong>owner</strong>" in client.get(WELCOME).content.decode()
    done = client.post(WELCOME, {"name": "Ada Acme", "password": PASSWORD, "again": PASSWORD})
    assert done.headers["Location"] == SIGN_IN
    assert sign_in(client, given).status_code == 422
    assert sign_in(client, PASSWORD).headers["Location"] == "/portal/acme/"
    assert client.get("/portal/acme/members/invite/").status_code == 200
    first.refresh_from_db()
    assert (first.state, first.name) == ("active", "Ada Acme")
    people.settle_due()
    assert drift.observe_tenant(acme, actor=OPERATOR) == []
    late = Client()
    late.get(f"{WELCOME}?link={text}")
    assert late.get(WELCOME).status_code == 410


def test_a_temporary_password_used_first_ends_the_link(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    from provisioning.identity import set_first_password
    from tests.cast import OPERATOR

    send_again(acme)
    text, client = mailed(mailoutbox), Client()
    given = set_first_password(actor=OPERATOR, tenant_id=acme.pk, reason="handed over")
    assert sign_in(client, given).headers["Location"] == "/portal/acme/sign-in/password/"
    client.post("/portal/acme/sign-in/password/", {"password": PASSWORD, "again": PASSWORD})
    first.refresh_from_db()
    assert first.state == "active"
    other = Client()
    other.get(f"{WELCOME}?link={text}")
    assert other.post(WELCOME, {"name": "X", "password": PASSWORD + "2", "again": PASSWORD + "2"}).status_code == 410
    assert sign_in(Client(), PASSWORD).status_code == 302


def test_a_password_that_was_handed_over_begins_the_time_anew(acme: Tenant, first: Member) -> None:
    from provisioning.identity import set_first_password
    from tenants.members.invitations import invitation_of
    from tests.cast import OPERATOR

    then = timezone.now() - timedelta(days=8)
    type(first).objects.filter(pk=first.pk).update(invited_at=then, invitation_expires_at=then + timedelta(days=7))
    first.refresh_from_db()
    assert invitation_of(first).standing == "expired"
    set_first_password(actor=OPERATOR, tenant_id=acme.pk, reason="handed over")
    first.refresh_from_db()
    stands = invitation_of(first)
    assert (stands.standing, stands.sent_at) == ("open", first.invited_at)
    assert first.invited_at > timezone.now() - timedelta(minutes=1)


def test_a_temporary_password_that_has_ended_is_no_dead_end(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    """The pool's answer is AWS's: the stand-in lets no temporary password end."""
    client = Client()
    with faults.inject("cognito-idp", "RespondToAuthChallenge", error="password-ended") as fault:
        ended = sign_in(client, "Temporary-1-password")
    assert fault.fired == 1
    wrong, nobody = sign_in(client, "Wrong-1-password"), sign_in(client, "Wrong-1-password", "nobody@acme.example")
    pages = [re.sub(r'value="[^"]*"', "", answer.content.decode()) for answer in (ended, wrong, nobody)]
    assert [answer.status_code for answer in (ended, wrong, nobody)] == [422] * 3
    assert len(set(pages)) == 1
    assert "It works for 7 days." in pages[0]
    assert f'href="{ASK}">Ask for a new link</a>' in pages[0]
    assert "It works for 7 days." not in client.get(SIGN_IN).content.decode()

    answers = [Client().post(ASK, {"email": email}, follow=True) for email in ("nobody@acme.example", "Admin@acme.example")]
    said = [re.sub(r'value="[^"]*"', "", answer.content.decode()) for answer in answers]
    assert said[0] == said[1]
    text = mailed(mailoutbox)
    client.get(f"{WELCOME}?link={text}")
    client.post(WELCOME, {"name": "Ada", "password": PASSWORD, "again": PASSWORD})
    assert sign_in(client, PASSWORD).status_code == 302


def test_an_invitation_that_is_over_says_so_and_whom_to_ask(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import services
    from tests.cast import OPERATOR

    dee = services.invite(actor=OPERATOR, tenant_id=acme.pk, email="dee@acme.example", role="developer")
    of_dee = mailed(mailoutbox)
    send_again(acme)
    of_first = mailed(mailoutbox)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
        for text, said, not_said in (
            (of_dee, "Ask whoever invited you", "Ask for a new link"),
            (of_first, "Ask for a new link", "Ask whoever invited you"),
        ):
            client = Client()
            client.get(f"{WELCOME}?link={text}")
            answers = [client.get(WELCOME), client.get(WELCOME)]
            assert [answer.status_code for answer in answers] == [410, 410]
            for answer in answers:
                page = answer.content.decode()
                assert "This invitation has expired" in page
                assert said in page
                assert not_said not in page
            posted = client.post(WELCOME, {"name": "X", "password": PASSWORD, "again": PASSWORD})
            assert posted.status_code == 410
        unknown = Client()
        unknown.get(f"{WELCOME}?link={'x' * 43}")
        assert "This link is not good any more" in unknown.get(WELCOME).content.decode()
    dee.refresh_from_db()
    first.refresh_from_db()
    assert (dee.state, first.state) == ("invited", "invited")
    assert refusals(acme) == [(dee.pk, "invitation-expired"), (first.pk, "invitation-expired"), (acme.pk, "link-not-good")]


def refusals(tenant: Tenant) -> list[tuple[str, str]]:
    """Who was not let in and why, each once however often the page was loaded."""
    import json

    from core.audit.models import AuditEvent

    rows = AuditEvent.objects.filter(tenant_id=tenant.pk, action="member.sign_in_refused").order_by("pk")
    return [(row.target, json.loads(row.details_json)["why"]) for row in rows]


def test_a_suspended_tenants_links_wait_for_it(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    from core.errors import ConflictError
    from provisioning import services
    from tests.cast import OPERATOR, finish

    send_again(acme)
    text, client = mailed(mailoutbox), Client()
    finish(services.start_suspend(actor=OPERATOR, tenant_id=acme.pk, reason="unpaid"))
    with time_machine.travel(timezone.now() + timedelta(minutes=2)), pytest.raises(ConflictError, match="suspended"):
        send_again(acme)
    assert client.get(f"{WELCOME}?link={text}").status_code == 403
    assert client.post(ASK, {"email": "admin@acme.example"}).status_code == 403
    finish(services.start_resume(actor=OPERATOR, tenant_id=acme.pk, reason="paid"))
    client.get(f"{WELCOME}?link={text}")
    assert client.post(WELCOME, {"name": "Ada", "password": PASSWORD, "again": PASSWORD}).status_code == 302
    assert sign_in(client, PASSWORD).status_code == 302


def test_an_owner_sees_how_the_firsts_invitation_stands_and_sends_it_again(
    acme: Tenant, first: Member, signed_in: Callable[[Member], Client]
) -> None:
    from tenants.members.models import Member
    from tests.tenants.members.world import new_member

    Member.objects.filter(pk=first.pk).update(invitation_expires_at=timezone.now() - timedelta(days=1))
    owner, admin = signed_in(new_member(acme, "owner")), signed_in(new_member(acme, "admin"))
    page = f"/portal/acme/members/{first.pk}/"
    assert "Invitation expired" in owner.get("/portal/acme/members/").content.decode()
    assert "Last sent" in owner.get(page).content.decode()
    assert "Send the invitation again" not in admin.get(page).content.decode()
    revision = {"revision": str(first.revision)}
    assert admin.post(f"{page}resend/", revision).status_code == 403
    assert owner.post(f"{page}resend/", revision).status_code == 302
    assert "The mail is on its way." in owner.get("/portal/acme/members/").content.decode()
    assert owner.post(f"{page}resend/", revision).status_code == 409


def test_of_two_who_follow_one_link_at_one_moment_one_is_told_so_and_the_others_password_stands(
    acme: Tenant, first: Member, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning import people

    send_again(acme)
    text = mailed(mailoutbox)
    quick, slow = Client(), Client()
    for client in (quick, slow):
        client.get(WELCOME, {"link": text})
    put, answers = people._put_password, []

    def put_while_another_comes(*args: Any) -> None:
        monkeypatch.setattr(people, "_put_password", put)
        answers.append(slow.post(WELCOME, {"name": "Slow", "password": PASSWORD + "2", "again": PASSWORD + "2"}))
        put(*args)

    monkeypatch.setattr(people, "_put_password", put_while_another_comes)
    assert quick.post(WELCOME, {"name": "Quick", "password": PASSWORD, "again": PASSWORD}).status_code == 302
    assert (answers[0].status_code, "at this moment" in answers[0].content.decode()) == (409, True)
    assert 'value="Slow"' in answers[0].content.decode()
    assert slow.get(WELCOME).status_code == 410
    assert sign_in(Client(), PASSWORD + "2").status_code == 422
    assert sign_in(Client(), PASSWORD).status_code == 302


def test_a_link_that_was_not_used_up_can_be_followed_again_at_once(
    acme: Tenant, first: Member, mailoutbox: list[Any], standin: StandIn
) -> None:
    send_again(acme)
    client = Client()
    client.get(WELCOME, {"link": mailed(mailoutbox)})
    values = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
    with faults.inject("cognito-idp", "AdminSetUserPassword", error="denied"):
        assert client.post(WELCOME, values).status_code == 422
    assert client.post(WELCOME, values).status_code == 302


def test_a_claim_of_somebody_who_died_over_it_ends(acme: Tenant, first: Member, mailoutbox: list[Any]) -> None:
    send_again(acme)
    client = Client()
    client.get(WELCOME, {"link": mailed(mailoutbox)})
    values = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
    rows = type(first).objects.filter(pk=first.pk)
    rows.update(link_claimed_until=timezone.now() + timedelta(minutes=1))
    assert client.post(WELCOME, values).status_code == 409
    rows.update(link_claimed_until=timezone.now() - timedelta(seconds=1))
    assert client.post(WELCOME, values).status_code == 302
