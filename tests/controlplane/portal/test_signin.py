"""Signing in for real: SRP against the stand-in's user pools, verified tokens, and every way in which it is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.services import StandIn

if TYPE_CHECKING:
    import redis

    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Member
    from tenants.models import Tenant

WRONG = "The address or the password is not right."


@pytest.fixture(autouse=True)
def _fresh_counts(clean_redis: redis.Redis) -> None:
    """Nobody has failed yet."""


@pytest.fixture
def acme(footing: Footing, standin: StandIn, db: None) -> Tenant:
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    return real_tenant("acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    """Another tenant of the same pool: its people differ by tenant alone."""
    from tests.controlplane.portal.real import real_tenant

    return real_tenant("globex", tier_code="basic")


@pytest.fixture
def dee(acme: Tenant) -> Member:
    from tests.controlplane.portal.real import with_password
    from tests.tenants.members.world import new_member

    return with_password(new_member(acme, "developer", email="Dee@acme.example"))


@pytest.fixture
def client(acme: Tenant) -> Client:
    return Client()


def post(client: Client, email: str, password: str, slug: str = "acme", **more: str) -> Any:
    return client.post(f"/portal/{slug}/sign-in/", {"email": email, "password": password, **more})


def audited(tenant: Tenant) -> list[tuple[str, str, Any]]:
    import json

    from core.audit.models import AuditEvent

    rows = AuditEvent.objects.filter(tenant_id=tenant.pk, action__startswith="member.sign").order_by("pk")
    return [(row.action, row.target, json.loads(row.details_json)) for row in rows]


def test_the_right_password_lets_in_and_a_session_begins(client: Client, acme: Tenant, dee: Member) -> None:
    from tests.controlplane.portal.real import PASSWORD

    answer = post(client, "dee@ACME.example", PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/acme/")
    cookie = client.cookies["portal"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/portal/", True, "Lax")
    assert client.get("/portal/acme/members/").status_code == 200
    assert audited(acme)[-1][:2] == ("member.signed_in", dee.pk)
    dee.refresh_from_db()
    assert dee.last_signed_in_at is not None


def test_one_goes_where_one_wanted_to_and_nowhere_else(client: Client) -> None:
    for wanted, got in (
        ("/portal/acme/members/?q=a", "/portal/acme/members/?q=a"),
        ("https://evil.example/portal/acme/", "/portal/acme/"),
        ("//evil.example/", "/portal/acme/"),
        ("/console/", "/portal/acme/"),
        ("/portal/globex/", "/portal/acme/"),
        ("/portal/acme/../../console/", "/portal/acme/"),
        ("/portal/acme/%2e%2E/%2e./console/", "/portal/acme/"),
        ("/portal/acme/..\\..\\console/", "/portal/acme/"),
        ("/portal/acme/members/?q=../..", "/portal/acme/members/?q=../.."),
    ):
        page = client.get("/portal/acme/sign-in/", {"next": wanted}).content.decode()
        assert f'name="next" value="{got}"' in page


def test_nobody_is_told_whether_there_is_such_a_person(client: Client, acme: Tenant, dee: Member) -> None:
    from tenants.members import services
    from tests.cast import OPERATOR
    from tests.controlplane.portal.real import PASSWORD, with_password
    from tests.tenants.members.world import new_member

    invited = new_member(acme, "viewer", state="invited")
    disabled = with_password(new_member(acme, "viewer"))
    services.disable(actor=OPERATOR, tenant_id=acme.pk, member_id=disabled.pk)
    pages = []
    for email, password in (
        (dee.email, "wrong"),
        ("nobody@acme.example", PASSWORD),
        (invited.email, PASSWORD),
        (disabled.email, PASSWORD),
        ("admin@acme.example", PASSWORD),
    ):
        answer = post(client, email, password)
        assert answer.status_code == 422
        assert WRONG in answer.content.decode()
        assert password not in answer.content.decode()
        assert email in answer.content.decode()
        pages.append(re.sub(r'value="[^"]*"', "", answer.content.decode()))
    assert len(set(pages)) == 1
    assert "nobody@" not in str(audited(acme))


def test_a_colleague_of_another_tenant_is_nobody_here(client: Client, acme: Tenant, globex: Tenant, dee: Member) -> None:
    from tests.controlplane.portal.real import PASSWORD

    assert post(client, dee.email, PASSWORD, slug="globex").status_code == 422
    assert post(client, dee.email, PASSWORD, slug="nowhere").status_code == 404


def test_the_first_administrator_chooses_a_password_and_joins(client: Client, acme: Tenant) -> None:
    from provisioning.identity import set_first_password
    from tenants.members.models import Member
    from tests.cast import OPERATOR
    from tests.controlplane.portal.real import PASSWORD

    given = set_first_password(actor=OPERATOR, tenant_id=acme.pk, reason="first")
    answer = post(client, "admin@acme.example", given)
    assert answer.headers["Location"] == "/portal/acme/sign-in/password/"
    assert client.get("/portal/acme/members/").status_code == 302
    for first, second, said in (
        (PASSWORD, "another-Pass-1", "not the same"),
        ("short", "short", "at least 12"),
        ("a" * 16, "a" * 16, "policy"),
    ):
        answer = client.post("/portal/acme/sign-in/password/", {"password": first, "again": second})
        assert (answer.status_code, said in answer.content.decode()) == (422, True), said
    answer = client.post("/portal/acme/sign-in/password/", {"password": PASSWORD, "again": PASSWORD})
    assert answer.headers["Location"] == "/portal/acme/"
    first = Member.objects.get(tenant=acme, is_first=True)
    assert (first.state, first.role, first.joined_at is not None) == ("active", "owner", True)
    assert client.get("/portal/acme/members/").status_code == 200


def test_failures_are_slowed_down_and_the_right_password_waits_as_well(
    client: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controlplane.portal import identity

    asked = []

    def prove(tenant: Tenant, username: str, password: str) -> str:
        asked.append(password)
        raise identity.WrongPasswordError

    monkeypatch.setattr(identity, "prove", prove)
    assert [post(client, "dee@acme.example", f"wrong{number}").status_code for number in range(5)] == [422] * 5
    held = post(client, "DEE@acme.example", "right")
    assert (held.status_code, "Try again in" in held.content.decode()) == (429, True)
    assert "right" not in asked
    assert post(client, "another@acme.example", "wrong").status_code == 422


def test_while_the_counts_are_away_nobody_is_let_through(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.cache import cache
    from redis.exceptions import ConnectionError as RedisAwayError

    from tests.controlplane.portal.real import PASSWORD

    def away(*args: object, **kwargs: object) -> None:
        raise RedisAwayError

    monkeypatch.setattr(cache, "get_many", away)
    assert post(client, "dee@acme.example", PASSWORD).status_code == 503


@pytest.mark.parametrize("spoilt", ["wrong-tenant", "wrong-person", "two-people", "foreign-client"])
def test_tokens_that_are_not_this_members_let_nobody_in(
    client: Client, acme: Tenant, dee: Member, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    """The tokens are verified for real, then one claim is taken from somebody else's."""
    from controlplane.portal import identity
    from core.aws import tokens
    from tests.controlplane.portal.real import PASSWORD

    def verify(token: str, *, use: tokens.TokenUse, issuer: tokens.Issuer, fresh_seconds: int) -> dict[str, Any]:
        if spoilt == "foreign-client":
            issuer = tokens.Issuer(issuer.name, issuer.keys_url, "another-client")
        claims = dict(tokens.verify(token, use=use, issuer=issuer, fresh_seconds=fresh_seconds))
        if use is tokens.TokenUse.ID:
            claims |= {
                "wrong-tenant": {"custom:tenantId": "tnt_another"},
                "wrong-person": {"cognito:username": "somebody"},
                "two-people": {"sub": "somebody"},
            }.get(spoilt, {})
        return claims

    monkeypatch.setattr(identity, "verify", verify)
    answer = post(client, dee.email, PASSWORD)
    assert answer.status_code == 422
    assert WRONG in answer.content.decode()
    assert client.get("/portal/acme/members/").status_code == 302
    why = "wrong-client" if spoilt == "foreign-client" else spoilt
    assert audited(acme)[-1] == ("member.sign_in_refused", dee.pk, {"why": why, "address": "127.0.0.1"})


def test_an_invited_colleague_follows_the_link_and_comes_in(client: Client, acme: Tenant, mailoutbox: list[Any]) -> None:
    from provisioning import people
    from tenants.members import mailing, services
    from tests.cast import OPERATOR
    from tests.controlplane.portal.real import PASSWORD

    made = services.invite(actor=OPERATOR, tenant_id=acme.pk, email="new@acme.example", role="developer")
    people.settle_due()
    mailing.send_due()
    text = re.search(r"\?link=([\w-]+)", mailoutbox[0].body)[1]  # type: ignore[index]
    answer = client.get(f"/portal/acme/welcome/?link={text}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/acme/welcome/")
    page = client.get("/portal/acme/welcome/").content.decode()
    assert "invited as <strong>developer</strong>" in page
    assert text not in page
    answer = client.post("/portal/acme/welcome/", {"name": "Nell", "password": "a" * 16, "again": "a" * 16})
    assert (answer.status_code, "policy" in answer.content.decode(), "Nell" in answer.content.decode()) == (422, True, True)
    good = {"name": "Nell", "password": PASSWORD, "again": PASSWORD}
    assert client.post("/portal/acme/welcome/", good).headers["Location"] == "/portal/acme/sign-in/"
    assert post(client, "new@acme.example", PASSWORD).headers["Location"] == "/portal/acme/"
    made.refresh_from_db()
    assert (made.state, made.name) == ("active", "Nell")
    other = Client()
    other.get(f"/portal/acme/welcome/?link={text}")
    assert other.get("/portal/acme/welcome/").status_code == 410
    assert other.post("/portal/acme/welcome/", good).status_code == 410


def test_a_link_is_worth_nothing_at_another_tenant(client: Client, acme: Tenant, globex: Tenant, mailoutbox: list[Any]) -> None:
    from tenants.members import mailing, services
    from tests.cast import OPERATOR
    from tests.controlplane.portal.real import PASSWORD

    made = services.invite(actor=OPERATOR, tenant_id=acme.pk, email="new@acme.example", role="owner")
    mailing.send_due()
    text = re.search(r"\?link=([\w-]+)", mailoutbox[0].body)[1]  # type: ignore[index]
    client.get(f"/portal/globex/welcome/?link={text}")
    answer = client.post("/portal/globex/welcome/", {"name": "N", "password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 410
    made.refresh_from_db()
    assert made.state == "invited"


def test_a_forgotten_password_is_answered_alike_and_mailed_to_members(client: Client, dee: Member, mailoutbox: list[Any]) -> None:
    from tenants.members import mailing
    from tests.controlplane.portal.real import PASSWORD

    for email in (dee.email, "nobody@acme.example"):
        answer = client.post("/portal/acme/sign-in/forgotten/", {"email": email}, follow=True)
        assert "If there is somebody with this address here, a link is on its way." in answer.content.decode()
    assert mailing.send_due() == 1
    text = re.search(r"\?link=([\w-]+)", mailoutbox[0].body)[1]  # type: ignore[index]
    client.get(f"/portal/acme/welcome/?link={text}")
    assert client.post("/portal/acme/welcome/", {"password": PASSWORD + "2", "again": PASSWORD + "2"}).status_code == 302
    assert post(client, dee.email, PASSWORD).status_code == 422
    assert post(client, dee.email, PASSWORD + "2").status_code == 302


def test_people_follow_their_rows_into_the_pool(acme: Tenant, dee: Member) -> None:
    from provisioning import people
    from provisioning.identity import identity_of
    from tenants import clouds
    from tenants.members import services
    from tenants.selectors import facts_of
    from tests.cast import OPERATOR

    cognito = clouds.connect_to(facts_of(acme).cell, session_name="tests").cognito
    pool = identity_of(acme).pool_id
    services.change_role(actor=OPERATOR, tenant_id=acme.pk, member_id=dee.pk, role="viewer")
    services.disable(actor=OPERATOR, tenant_id=acme.pk, member_id=dee.pk)
    assert people.settle_due() == 1
    user = cognito.find_user(pool, dee.username)
    assert user is not None
    assert (user.enabled, user.attributes["custom:userRole"], user.attributes["custom:tenantId"]) == (False, "viewer", acme.pk)
    assert cognito.list_user_groups(pool, dee.username) == (acme.pk,)
    services.remove(actor=OPERATOR, tenant_id=acme.pk, member_id=dee.pk)
    assert people.settle_due() == 1
    assert cognito.find_user(pool, dee.username) is None
