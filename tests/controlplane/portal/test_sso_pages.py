"""The owner's pages about the identity provider: connect, try, switch on, fall back, remove; and the password beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from tests.local_provider import CLIENT_ID, CLIENT_SECRET, LocalProvider
from tests.services import StandIn

if TYPE_CHECKING:
    import redis

    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Connection, Member
    from tenants.models import Tenant

SignedIn = Callable[["Member"], Client]
WRONG = "The address or the password is not right."


@pytest.fixture(autouse=True)
def _fresh_counts(clean_redis: redis.Redis) -> None:
    """Nobody has failed yet."""


@pytest.fixture
def real_acme(footing: Footing, standin: StandIn, db: None) -> Tenant:
    """Acme with everything in the stand-in, in a tier that allows a provider of one's own."""
    from tenants.models import Tier
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    Tier.objects.filter(pk="basic").update(sso_allowed=True)
    return real_tenant("acme")


@pytest.fixture
def olive(real_acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(real_acme, "owner", email="olive@acme.example", name="Olive Owner")


@pytest.fixture
def browser(olive: Member, signed_in: SignedIn) -> Client:
    return signed_in(olive)


def kept(tenant: Tenant) -> Connection | None:
    from tenants.members import connections

    return connections.find(tenant.pk)


def fields(provider: LocalProvider, **changes: str) -> dict[str, str]:
    return {
        "kind": "oidc",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "mark": "",
        **changes,
    }


def carry_out(tenant: Tenant) -> None:
    from provisioning.models import Operation
    from tests.cast import finish

    operation = Operation.objects.filter(tenant=tenant).order_by("-pk").first()
    assert operation is not None
    assert finish(operation).state == "succeeded", operation.error_detail


def text_of(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def log_of(tenant: Tenant) -> list[tuple[str, str, str, Any]]:
    from core.audit.models import AuditEvent

    rows = AuditEvent.objects.filter(tenant_id=tenant.pk, action__startswith="connection.").order_by("pk")
    return [(row.action, row.actor_id, row.reason, json.loads(row.details_json)) for row in rows]


def test_a_tier_without_it_says_so_and_takes_nothing(
    acme: Tenant, owner: Member, signed_in: SignedIn, provider: LocalProvider
) -> None:
    client = signed_in(owner)
    assert "is not part of Basic" in text_of(client.get("/portal/acme/sso/"))
    assert client.post("/portal/acme/sso/connect/", fields(provider)).status_code == 302
    assert kept(acme) is None
    assert client.post("/portal/acme/sso/try/").status_code == 404


def test_what_the_provider_has_to_be_told_stands_there_before_anything_is_saved(browser: Client, real_acme: Tenant) -> None:
    from provisioning.connections import addresses_of

    told = addresses_of(real_acme)
    assert told is not None
    for path in ("/portal/acme/sso/", "/portal/acme/sso/connect/"):
        page = text_of(browser.get(path))
        for address in (told.redirect_uri, told.acs_url, told.entity_id):
            assert f'value="{address}"' in page
    assert told.entity_id.startswith("urn:amazon:cognito:sp:us-east-1_") or "_" in told.entity_id


def test_the_whole_story_of_an_owner(
    browser: Client, real_acme: Tenant, olive: Member, provider: LocalProvider, standin: StandIn, signed_in: SignedIn
) -> None:
    from tests.controlplane.portal.sso_world import Traveller
    from tests.tenants.members.world import new_member

    answer = browser.post("/portal/acme/sso/connect/", fields(provider, domains="acme.example"))
    assert answer.headers["Location"] == "/portal/acme/sso/"
    assert "Being set up" in text_of(browser.get("/portal/acme/sso/"))
    row = kept(real_acme)
    assert row is not None
    assert browser.post("/portal/acme/sso/try/", {"mark": row.mark}).status_code == 409
    carry_out(real_acme)
    page = text_of(browser.get("/portal/acme/sso/"))
    assert "Not tried" in page
    assert "/sso/on/" not in page
    assert browser.post("/portal/acme/sso/on/", {"mark": row.mark}).status_code == 409

    traveller = Traveller(browser, standin)
    before = dict(browser.session)
    provider.email = "nobody@acme.example"
    assert traveller.goes("sso/try/", mark=row.mark).headers["Location"] == "/portal/acme/sso/"
    page = text_of(browser.get("/portal/acme/sso/"))
    assert "nobody@acme.example" in page
    assert "Nobody of your organisation has the address" in page
    assert browser.post("/portal/acme/sso/on/", {"mark": row.mark}).status_code == 409
    dee = new_member(real_acme, "developer", email="dee@acme.example", name="Dee")
    provider.email, provider.subject = dee.email, "dee"
    traveller.goes("sso/try/", mark=row.mark)
    assert "It worked: that is Dee." in text_of(browser.get("/portal/acme/sso/"))
    provider.email, provider.subject = olive.email, "olive"
    traveller.goes("sso/try/", mark=row.mark)
    assert "It worked: that is you." in text_of(browser.get("/portal/acme/sso/"))
    assert dict(browser.session).get("portal.member") == before.get("portal.member"), "a try changes nobody's session"

    assert "Everybody but the owners" in text_of(browser.get("/portal/acme/sso/on/"))
    assert browser.post("/portal/acme/sso/on/", {"mark": row.mark, "reason": "all are there"}).status_code == 302
    page = text_of(Client().get("/portal/acme/sign-in/"))
    assert "Sign in with your organisation" in page
    provider.email, provider.subject = dee.email, "dee"
    hers = Traveller(Client(), standin)
    assert hers.goes().headers["Location"] == "/portal/acme/"
    assert browser.post("/portal/acme/sso/off/", {"mark": row.mark}).status_code == 302
    assert "Sign in with your organisation" not in text_of(Client().get("/portal/acme/sign-in/"))
    assert Client().post("/portal/acme/sign-in/organisation/").status_code == 409
    assert browser.post("/portal/acme/sso/remove/", {"mark": row.mark}).status_code == 422
    assert browser.post("/portal/acme/sso/remove/", {"mark": row.mark, "reason": "elsewhere"}).status_code == 302
    carry_out(real_acme)
    assert "No provider is connected" in text_of(browser.get("/portal/acme/sso/"))
    told = [(action, actor, reason) for action, actor, reason, _ in log_of(real_acme)]
    assert told == [
        ("connection.saved", olive.pk, ""),
        *[("connection.tried", olive.pk, "")] * 3,
        ("connection.switched_on", olive.pk, "all are there"),
        ("connection.switched_off", olive.pk, ""),
        ("connection.removed", olive.pk, "elsewhere"),
    ]
    assert "@" not in str(log_of(real_acme))


def test_bad_input_is_named_at_its_field_and_what_was_typed_is_kept_but_for_the_secret(
    browser: Client, real_acme: Tenant, provider: LocalProvider
) -> None:
    answer = browser.post("/portal/acme/sso/connect/", fields(provider, issuer="http://idp.example/x", domains="nope"))
    page = text_of(answer)
    assert answer.status_code == 422
    assert "begins with https://" in page
    assert "This is no mail domain: nope" in page
    assert 'value="http://idp.example/x"' in page
    assert CLIENT_SECRET not in page
    answer = browser.post("/portal/acme/sso/connect/", {"kind": "saml", "metadata_xml": "<!DOCTYPE x><x/>", "mark": ""})
    assert answer.status_code == 422
    assert "document type" in text_of(answer)
    assert "<!DOCTYPE x><x/>" in text_of(answer)
    assert browser.post("/portal/acme/sso/connect/", {"mark": ""}).status_code == 422
    assert kept(real_acme) is None


def test_the_secret_is_never_shown_again_and_an_empty_field_keeps_it(
    browser: Client, real_acme: Tenant, provider: LocalProvider
) -> None:
    browser.post("/portal/acme/sso/connect/", fields(provider))
    carry_out(real_acme)
    row = kept(real_acme)
    assert row is not None
    for path in ("/portal/acme/sso/", "/portal/acme/sso/connect/", "/portal/acme/activity/"):
        page = text_of(browser.get(path))
        assert CLIENT_SECRET not in page
        assert row.secret not in page
    assert browser.post("/portal/acme/sso/connect/", fields(provider, client_secret="", mark=row.mark)).status_code == 302
    other = kept(real_acme)
    assert other is not None
    assert other.mark != row.mark
    moved = fields(provider, client_secret="", issuer="https://idp.example", mark=other.mark)
    assert "Enter the secret again" in text_of(browser.post("/portal/acme/sso/connect/", moved))


def test_a_stale_form_is_409_and_changes_nothing(browser: Client, real_acme: Tenant, provider: LocalProvider) -> None:
    from tests.controlplane.portal.sso_world import connected

    row = connected(real_acme, provider, on=True)
    answer = browser.post("/portal/acme/sso/connect/", fields(provider, mark=""))
    assert answer.status_code == 409
    assert f'value="{provider.issuer}"' in text_of(answer)
    for act, more in (("on", {}), ("off", {}), ("remove", {"reason": "x"})):
        assert browser.post(f"/portal/acme/sso/{act}/", {"mark": "con_old", **more}).status_code == 409
    assert browser.post("/portal/acme/sso/try/", {"mark": "con_old"}).status_code == 409
    found = kept(real_acme)
    assert found is not None
    assert (found.mark, found.is_on) == (row.mark, True)


def test_while_the_tenant_is_worked_on_the_form_says_so_and_keeps_what_was_typed(
    browser: Client, real_acme: Tenant, provider: LocalProvider
) -> None:
    from provisioning.services import start_repair
    from tests.cast import OPERATOR

    start_repair(actor=OPERATOR, tenant_id=real_acme.pk, reason="x")
    answer = browser.post("/portal/acme/sso/connect/", fields(provider))
    assert answer.status_code == 409
    page = text_of(answer)
    assert "is being worked on" in page
    assert "op_" not in page
    assert f'value="{provider.issuer}"' in page
    assert kept(real_acme) is None


def test_an_act_that_there_is_not_and_an_act_without_a_connection_are_404(browser: Client, real_acme: Tenant) -> None:
    for act in ("on", "off", "remove", "explode"):
        assert browser.post(f"/portal/acme/sso/{act}/", {"mark": ""}).status_code == 404


def test_another_owner_cannot_finish_a_try_that_is_not_theirs(
    browser: Client, real_acme: Tenant, olive: Member, provider: LocalProvider, standin: StandIn, signed_in: SignedIn
) -> None:
    """The answer of a try, put into a session in which somebody else is signed in by now."""
    from controlplane.portal.sessions import KEY, PortalSession
    from tests.controlplane.portal.people import plant
    from tests.controlplane.portal.sso_world import Traveller, connected
    from tests.tenants.members.world import new_member

    row = connected(real_acme, provider)
    provider.email = olive.email
    traveller = Traveller(browser, standin)
    query = traveller.travels(traveller.leaves("sso/try/", mark=row.mark))
    other = new_member(real_acme, "owner")
    session = PortalSession(browser.cookies["portal"].value)
    session[KEY] = PortalSession(plant(other))[KEY]
    session.save()
    assert traveller.arrives(query).status_code == 403
    found = kept(real_acme)
    assert found is not None
    assert (found.tried_mark, found.good_mark) == ("", "")


def test_a_try_of_a_connection_that_was_changed_meanwhile_counts_for_nothing(
    browser: Client, real_acme: Tenant, olive: Member, provider: LocalProvider, standin: StandIn
) -> None:
    from tests.controlplane.portal.sso_world import Traveller, connected

    row = connected(real_acme, provider)
    provider.email = olive.email
    traveller = Traveller(browser, standin)
    query = traveller.travels(traveller.leaves("sso/try/", mark=row.mark))
    connected(real_acme, provider)
    assert traveller.arrives(query).status_code == 409
    found = kept(real_acme)
    assert found is not None
    assert found.good_mark == ""


def test_while_it_is_on_a_password_lets_owners_in_and_tells_nobody_who_is_one(
    real_acme: Tenant, olive: Member, provider: LocalProvider
) -> None:
    import re

    from core.audit.models import AuditEvent
    from tenants.members import connections
    from tests.cast import OPERATOR
    from tests.controlplane.portal.real import PASSWORD, with_password
    from tests.controlplane.portal.sso_world import connected
    from tests.tenants.members.world import new_member

    admin = with_password(new_member(real_acme, "admin", email="ann@acme.example"))
    with_password(olive)
    connected(real_acme, provider, on=True)
    pages = []
    for email, password in (
        (admin.email, PASSWORD),
        (admin.email, "wrong"),
        ("nobody@acme.example", PASSWORD),
        (olive.email, "wrong"),
    ):
        answer = Client().post("/portal/acme/sign-in/", {"email": email, "password": password})
        assert (answer.status_code, WRONG in text_of(answer)) == (422, True)
        assert 'details class="more" open' in text_of(answer)
        pages.append(re.sub(r'value="[^"]*"', "", text_of(answer)))
    assert len(set(pages)) == 1
    entry = AuditEvent.objects.filter(action="member.sign_in_refused", target=admin.pk).order_by("pk").first()
    assert entry is not None
    assert json.loads(entry.details_json)["why"] == "use-organisation"
    assert Client().post("/portal/acme/sign-in/", {"email": olive.email, "password": PASSWORD}).status_code == 302
    connections.switch_off(actor=OPERATOR, tenant_id=real_acme.pk)
    assert Client().post("/portal/acme/sign-in/", {"email": admin.email, "password": PASSWORD}).status_code == 302


def test_an_invited_person_is_led_to_the_provider_and_an_owner_to_a_password(real_acme: Tenant, provider: LocalProvider) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from tenants.members import links
    from tests.controlplane.portal.sso_world import connected
    from tests.tenants.members.world import new_member

    connected(real_acme, provider, on=True)
    for role, said in (("viewer", "Sign in with your organisation"), ("owner", "Choose a password to come in")):
        later = timezone.now() + timedelta(days=1)
        values = {"state": "invited", "link_purpose": "invitation", "link_expires_at": later, "invitation_expires_at": later}
        invited = new_member(real_acme, role, link_digest=links.digest_of(f"link of {role}"), **values)
        client = Client()
        client.get("/portal/acme/welcome/", {"link": f"link of {role}"})
        page = text_of(client.get("/portal/acme/welcome/"))
        assert said in page
        assert ("New password" in page) == (role == "owner")
        client.post(
            "/portal/acme/welcome/", {"name": "N", "password": "Correct-Horse-7-Battery", "again": "Correct-Horse-7-Battery"}
        )
        invited.refresh_from_db()
        assert invited.state == ("active" if role == "owner" else "invited")


def test_an_operator_falls_back_from_the_command_line(real_acme: Tenant, provider: LocalProvider, capsys: Any) -> None:
    from tenants.members import connections
    from tests.controlplane.portal.sso_world import connected

    with pytest.raises(CommandError):
        call_command("tenants", "sso-off", "acme", "--reason", "their provider is gone")
    connected(real_acme, provider, on=True)
    with pytest.raises(CommandError):
        call_command("tenants", "sso-off", "acme", "--reason", " ")
    call_command("tenants", "sso-off", "acme", "--reason", "their provider is gone")
    assert connections.find_on(real_acme) is None
    assert log_of(real_acme)[-1][0] == "connection.switched_off"
    assert log_of(real_acme)[-1][2] == "their provider is gone"
