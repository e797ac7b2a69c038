"""Signing in through a tenant's own identity provider, for real: portal, stand-in and a local provider; and every way in which it is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests.local_provider import LocalProvider
from tests.services import StandIn

if TYPE_CHECKING:
    import redis

    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Member
    from tenants.models import Tenant
    from tests.controlplane.portal.sso_world import Traveller

REFUSED = "did not let you in here"


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
    """Another tenant of the same pool."""
    from tests.controlplane.portal.real import real_tenant

    return real_tenant("globex", tier_code="basic")


@pytest.fixture
def dee(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "developer", email="Dee@acme.example")


@pytest.fixture
def traveller(standin: StandIn) -> Traveller:
    from tests.controlplane.portal.sso_world import Traveller

    return Traveller(Client(), standin)


def is_in(client: Client, slug: str = "acme") -> bool:
    return client.get(f"/portal/{slug}/account/").status_code == 200


def refusals(tenant: Tenant) -> list[str]:
    from core.audit.models import AuditEvent

    rows = AuditEvent.objects.filter(tenant_id=tenant.pk, action="member.sign_in_refused").order_by("pk")
    return [json.loads(row.details_json)["why"] for row in rows]


def refused_last(tenant: Tenant) -> str:
    """Whom the last refusal concerns."""
    from core.audit.models import AuditEvent

    return str(AuditEvent.objects.filter(tenant_id=tenant.pk, action="member.sign_in_refused").order_by("pk").last().target)


def connected_on(tenant: Tenant) -> None:
    from tenants.members import connections
    from tests.cast import OPERATOR

    row = connections.find(tenant.pk)
    assert row is not None
    connections.switch_on(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark)


def assert_refused(answer: Any, client: Client, tenant: Tenant, why: str) -> None:
    assert answer.status_code == 403, answer.content.decode()
    assert REFUSED in answer.content.decode()
    assert refusals(tenant)[-1] == f"organisation, {why}"
    assert not is_in(client, tenant.slug)


@pytest.mark.parametrize("kind", ["oidc", "saml"])
def test_a_member_comes_in_through_the_provider(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, kind: str
) -> None:
    from core.audit.models import AuditEvent
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, kind, on=True)
    answer = traveller.goes(next="/portal/acme/members/?q=a")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/acme/members/?q=a")
    assert is_in(traveller.client)
    entry = AuditEvent.objects.filter(tenant_id=acme.pk, action="member.signed_in").get()
    assert (entry.target, json.loads(entry.details_json)["how"]) == (dee.pk, "organisation")
    assert "dee@" not in entry.details_json


def test_the_way_out_asks_for_a_code_with_pkce_state_and_nonce_at_this_provider_alone(
    acme: Tenant, provider: LocalProvider, traveller: Traveller, standin: StandIn
) -> None:
    from provisioning.connections import way_of
    from tests.controlplane.portal.sso_world import connected

    way = way_of(acme, connected(acme, provider, on=True))
    first, second = ({name: values[0] for name, values in parse_qs(urlsplit(traveller.leaves()).query).items()} for _ in range(2))
    assert first.pop("identity_provider") == way.provider
    assert (first["response_type"], first["code_challenge_method"], first["client_id"]) == ("code", "S256", way.hosted.client_id)
    assert first["redirect_uri"].endswith("/portal/acme/sign-in/organisation/callback/")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]
    page = traveller.client.post("/portal/acme/sign-in/organisation/")
    assert "no-store" in page.headers["Cache-Control"]


def test_it_begins_with_a_form_of_ours_and_not_with_a_link(acme: Tenant, provider: LocalProvider) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    assert Client().get("/portal/acme/sign-in/organisation/").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/portal/acme/sign-in/organisation/").status_code == 403


def test_an_answer_is_good_once(acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    query = traveller.travels(traveller.leaves())
    assert traveller.arrives(query).status_code == 302
    traveller.client.post("/portal/acme/sign-out/")
    assert_refused(traveller.arrives(query), traveller.client, acme, "no-journey")
    traveller.leaves()
    assert_refused(traveller.arrives(query), traveller.client, acme, "another-state")


def test_a_used_code_under_a_good_state_is_refused(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    used = traveller.travels(traveller.leaves())
    traveller.arrives(used)
    traveller.client.post("/portal/acme/sign-out/")
    state = parse_qs(urlsplit(traveller.leaves()).query)["state"][0]
    assert_refused(traveller.arrives({"code": used["code"], "state": state}), traveller.client, acme, "code-refused")


def test_another_persons_code_is_refused_by_its_nonce(acme: Tenant, dee: Member, provider: LocalProvider, standin: StandIn) -> None:
    """Somebody puts their own code into another's journey, or a stolen one into their own: the nonce is of the other journey."""
    from tests.controlplane.portal.sso_world import Traveller, connected

    connected(acme, provider, on=True)
    victim, thief = Traveller(Client(), standin), Traveller(Client(), standin)
    stolen = victim.travels(victim.leaves())
    state = parse_qs(urlsplit(thief.leaves()).query)["state"][0]
    assert_refused(thief.arrives({"code": stolen["code"], "state": state}), thief.client, acme, "another-nonce")


@pytest.mark.parametrize("change", [{"state": "x" * 43}, {"state": ""}, {"state": "é" * 900}])
def test_another_state_leaves_the_journey_as_it_is(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, change: dict[str, str]
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    query = traveller.travels(traveller.leaves())
    assert_refused(traveller.arrives({**query, **change}), traveller.client, acme, "another-state")
    assert traveller.arrives(query).status_code == 302


def test_an_answer_after_ten_minutes_is_refused(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controlplane.portal import organisation
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    query = traveller.travels(traveller.leaves())
    monkeypatch.setattr(organisation, "LASTS_SECONDS", 0)
    assert_refused(traveller.arrives(query), traveller.client, acme, "too-late")


def test_whoever_left_through_a_connection_that_is_another_by_now_begins_again(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    query = traveller.travels(traveller.leaves())
    connected(acme, provider, on=True)
    assert_refused(traveller.arrives(query), traveller.client, acme, "connection-changed")


def test_another_tenants_callback_takes_nothing(
    acme: Tenant, globex: Tenant, dee: Member, provider: LocalProvider, standin: StandIn
) -> None:
    from tests.controlplane.portal.sso_world import Traveller, connected

    connected(acme, provider, on=True)
    connected(globex, provider, on=True)
    traveller = Traveller(Client(), standin)
    query = traveller.travels(traveller.leaves())
    traveller.slug = "globex"
    assert_refused(traveller.arrives(query), traveller.client, globex, "no-journey")


def test_a_neighbours_provider_lets_nobody_in(
    acme: Tenant, globex: Tenant, dee: Member, provider: LocalProvider, standin: StandIn
) -> None:
    """In one pool: globex's provider, asked for at acme's client, vouches for acme's developer. The stand-in lets it; we do not."""
    from provisioning.connections import way_of
    from tests.controlplane.portal.sso_world import Traveller, connected

    mallory = LocalProvider(email=dee.email, subject="mallory")
    try:
        own = way_of(acme, connected(acme, provider, on=True))
        foreign = way_of(globex, connected(globex, mallory, on=True))
        assert own.pool_id == foreign.pool_id
        traveller = Traveller(Client(), standin)
        address = traveller.leaves()
        assert own.provider in address
        query = traveller.travels(address.replace(own.provider, foreign.provider))
        assert_refused(traveller.arrives(query), traveller.client, acme, "another-provider")
    finally:
        mallory.stop()


def test_the_stand_in_does_not_compare_the_verifier(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    """A gap of the stand-in, named in docs/fidelity.md: AWS would refuse this. The nonce is what holds here."""
    from core.aws.hosted import exchange, new_secret
    from provisioning.connections import way_of
    from tests.controlplane.portal.sso_world import connected

    way = way_of(acme, connected(acme, provider, on=True))
    query = traveller.travels(traveller.leaves())
    assert exchange(way.hosted, code=query["code"], verifier=new_secret()).id_token


def test_a_person_of_the_pool_itself_does_not_come_in_this_way(
    acme: Tenant, provider: LocalProvider, traveller: Traveller, aws: Any
) -> None:
    """A token for our client, of our pool, of our member, with our nonce: but nobody vouched."""
    from controlplane.portal.organisation import Journey, NotVouchedError
    from controlplane.portal.vouching import check_claims
    from provisioning.connections import way_of
    from tests.controlplane.portal.sso_world import connected

    way = way_of(acme, connected(acme, provider, on=True))
    journey = Journey("sign-in", "m", "n" * 43, "v", "/", "")
    good = {"sub": "s", "nonce": "n" * 43, "identities": [{"providerName": way.provider, "userId": "p"}]}
    check_claims(good, {"sub": "s"}, journey, way)
    check_claims({**good, "identities": json.dumps(good["identities"])}, {"sub": "s"}, journey, way)
    two = [{"providerName": way.provider}, {"providerName": "another"}]
    for change, access, why in (
        ({"identities": None}, "s", "another-provider"),
        ({"identities": "not json"}, "s", "another-provider"),
        ({"identities": {"providerName": way.provider}}, "s", "another-provider"),
        ({"identities": two}, "s", "another-provider"),
        ({"nonce": ""}, "s", "another-nonce"),
        ({"nonce": None}, "s", "another-nonce"),
        ({}, "somebody else", "two-people"),
    ):
        with pytest.raises(NotVouchedError) as caught:
            check_claims({**good, **change}, {"sub": access}, journey, way)
        assert caught.value.reason == why


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"email": "nobody@acme.example"}, "nobody-here"),
        ({"email": None}, "no-address"),
        ({"email": "dee@elsewhere.example"}, "domain-not-listed"),
    ],
)
def test_whoever_is_not_a_member_does_not_become_one(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, says: dict[str, Any], why: str
) -> None:
    from tests.controlplane.portal.sso_world import connected

    before = acme.members.count()
    connected(acme, provider, on=True, domains="acme.example")
    provider.email, provider.subject = says["email"], f"of {why}"
    assert_refused(traveller.goes(), traveller.client, acme, why)
    assert acme.members.count() == before
    assert "@" not in str(refusals(acme))


def test_another_person_with_a_members_address_is_refused_until_an_owner_forgets_the_first(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    """At the provider people choose their own addresses, and somebody takes Dee's."""
    from tests.controlplane.portal.people import signed_in
    from tests.controlplane.portal.sso_world import connected
    from tests.tenants.members.world import new_member

    connected(acme, provider, on=True)
    assert traveller.goes().status_code == 302
    traveller.client.post("/portal/acme/sign-out/")
    provider.subject = "mallory"
    assert_refused(traveller.goes(), traveller.client, acme, "another-person")
    assert refused_last(acme) == dee.pk
    provider.subject = "person-1"
    assert traveller.goes().status_code == 302
    traveller.client.post("/portal/acme/sign-out/")

    dee.refresh_from_db()
    forget, asked = f"/portal/acme/members/{dee.pk}/forget-provider/", {"revision": dee.revision, "reason": "a new account"}
    admin, owner = signed_in(new_member(acme, "admin")), signed_in(new_member(acme, "owner"))
    assert "forget-provider" not in admin.get(f"/portal/acme/members/{dee.pk}/").content.decode()
    assert (admin.get(forget).status_code, admin.post(forget, asked).status_code) == (403, 403)
    assert "forget-provider" in owner.get(f"/portal/acme/members/{dee.pk}/").content.decode()
    assert owner.post(forget, {**asked, "revision": dee.revision + 1}).status_code == 409
    assert owner.post(forget, asked).status_code == 302
    assert owner.post(forget, {**asked, "revision": dee.revision + 1}).status_code == 409
    provider.subject = "mallory"
    assert traveller.goes().status_code == 302


def test_somebody_who_is_known_does_not_come_in_as_a_colleague(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    """Olive, an owner, has never come through the provider: Dee takes her address there."""
    from tests.controlplane.portal.sso_world import connected
    from tests.tenants.members.world import new_member

    olive = new_member(acme, "owner", email="olive@acme.example")
    connected(acme, provider, on=True)
    assert traveller.goes().status_code == 302
    traveller.client.post("/portal/acme/sign-out/")
    provider.email = olive.email
    assert_refused(traveller.goes(), traveller.client, acme, "known-as-another")
    type(dee).objects.filter(pk=dee.pk).update(state="removed", ended_at=timezone.now())
    assert traveller.goes().status_code == 302


def test_between_the_provider_and_the_code_another_person_is_refused_as_well(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, standin: StandIn
) -> None:
    """Two people with one address are under way at once, and the second factor is Dee's: who comes first is kept."""
    import time

    from tests.controlplane.portal.sso_world import Traveller, connected
    from tests.tenants.members.test_devices import code_of, enrolled

    connected(acme, provider, on=True)
    with time_machine.travel(time.time() - 90):
        secret = enrolled(dee)
    other = Traveller(Client(), standin)
    assert traveller.goes().headers["Location"] == "/portal/acme/sign-in/code/"
    provider.subject = "mallory"
    assert other.goes().headers["Location"] == "/portal/acme/sign-in/code/"
    with time_machine.travel(time.time() - 30):
        first = code_of(secret)
    assert traveller.client.post("/portal/acme/sign-in/code/", {"code": first}).headers["Location"] == "/portal/acme/"
    answer = other.client.post("/portal/acme/sign-in/code/", {"code": code_of(secret)})
    assert answer.headers["Location"] == "/portal/acme/sign-in/"
    assert not is_in(other.client)
    assert refusals(acme)[-1] == "organisation, another-person"


def test_another_provider_knows_everybody_anew_and_the_same_saved_again_does_not(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    assert traveller.goes().status_code == 302
    traveller.client.post("/portal/acme/sign-out/")
    connected(acme, provider, on=True, domains="acme.example")
    provider.subject = "mallory"
    assert_refused(traveller.goes(), traveller.client, acme, "another-person")
    second = LocalProvider(email=dee.email, subject="dee-there")
    try:
        connected(acme, second, on=True)
        assert traveller.goes().status_code == 302
    finally:
        second.stop()


def test_an_owner_who_tries_the_connection_is_known_from_then_on(
    acme: Tenant, provider: LocalProvider, traveller: Traveller, standin: StandIn
) -> None:
    from tests.controlplane.portal.people import signed_in
    from tests.controlplane.portal.sso_world import Traveller, connected
    from tests.tenants.members.world import new_member

    olive = new_member(acme, "owner", email="olive@acme.example")
    provider.email, provider.subject = olive.email, "olive"
    row = connected(acme, provider)
    assert Traveller(signed_in(olive), standin).goes("sso/try/", mark=row.mark).headers["Location"] == "/portal/acme/sso/"
    connected_on(acme)
    provider.subject = "mallory"
    assert_refused(traveller.goes(), traveller.client, acme, "another-person")


@pytest.mark.parametrize(
    "address", ["\u212aim@acme.example", "\u017fam@acme.example", "stra\u00dfe@acme.example", "dee@K\u0130NG.example"]
)
def test_letters_that_only_look_or_fold_alike_are_no_members_address(
    acme: Tenant, provider: LocalProvider, traveller: Traveller, address: str
) -> None:
    from tests.controlplane.portal.sso_world import connected
    from tests.tenants.members.world import new_member

    for email in ("kim@acme.example", "sam@acme.example", "strasse@acme.example", "dee@king.example"):
        new_member(acme, "owner", email=email)
    connected(acme, provider, on=True)
    provider.email, provider.subject = address, address
    assert_refused(traveller.goes(), traveller.client, acme, "nobody-here")
    provider.email = "KIM@ACME.example"
    assert traveller.goes().status_code == 302


@pytest.mark.parametrize("state", ["disabled", "removed"])
def test_whoever_was_shut_out_stays_out(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, state: str
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    ended = timezone.now() if state == "removed" else None
    type(dee).objects.filter(pk=dee.pk).update(state=state, ended_at=ended)
    assert_refused(traveller.goes(), traveller.client, acme, "not-admitted" if state == "disabled" else "nobody-here")


def test_an_invited_person_joins_while_the_invitation_lasts(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    rows = type(dee).objects.filter(pk=dee.pk)
    rows.update(state="invited", joined_at=None, invitation_expires_at=timezone.now())
    assert_refused(traveller.goes(), traveller.client, acme, "not-admitted")
    rows.update(invitation_expires_at=timezone.now() + timedelta(days=1))
    assert traveller.goes().status_code == 302
    dee.refresh_from_db()
    assert (dee.state, dee.joined_at is not None) == ("active", True)


def test_our_own_second_factor_is_asked_for_all_the_same(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    import time

    from tests.controlplane.portal.sso_world import connected
    from tests.tenants.members.test_devices import code_of, enrolled

    connected(acme, provider, on=True)
    with time_machine.travel(time.time() - 60):
        secret = enrolled(dee)
    answer = traveller.goes()
    assert answer.headers["Location"] == "/portal/acme/sign-in/code/"
    assert not is_in(traveller.client)
    answer = traveller.client.post("/portal/acme/sign-in/code/", {"code": code_of(secret)})
    assert answer.status_code == 302
    assert is_in(traveller.client)


def test_between_the_provider_and_the_code_switching_off_counts(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller
) -> None:
    from tenants.members import connections, devices
    from tests.cast import OPERATOR
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    devices.require(actor=OPERATOR, tenant_id=acme.pk, totp_required=True)
    assert traveller.goes().headers["Location"] == "/portal/acme/sign-in/enrol/"
    assert traveller.client.get("/portal/acme/sign-in/enrol/").status_code == 200
    connections.switch_off(actor=OPERATOR, tenant_id=acme.pk)
    assert traveller.client.get("/portal/acme/sign-in/enrol/").headers["Location"] == "/portal/acme/sign-in/"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"error": "access_denied", "error_description": "<b>no</b>"}, "provider-access-denied"),
        ({"error": "<script>"}, "provider-error"),
        ({}, "no-code"),
        ({"code": "c" * 5_000}, "no-code"),
        ({"code": "made up"}, "code-refused"),
    ],
)
def test_what_comes_back_without_a_good_code_is_refused(
    acme: Tenant, provider: LocalProvider, traveller: Traveller, query: dict[str, str], why: str
) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    state = parse_qs(urlsplit(traveller.leaves()).query)["state"][0]
    answer = traveller.arrives({**query, "state": state})
    assert_refused(answer, traveller.client, acme, why)
    for value in query.values():
        assert value not in answer.content.decode()
    assert_refused(traveller.arrives({**query, "state": state}), traveller.client, acme, "no-journey")


def test_whoever_is_signed_in_stays_so_whatever_the_callback_is_sent(
    acme: Tenant, dee: Member, provider: LocalProvider, standin: StandIn
) -> None:
    from tests.controlplane.portal.people import signed_in
    from tests.controlplane.portal.sso_world import Traveller, connected

    connected(acme, provider, on=True)
    traveller = Traveller(signed_in(dee), standin)
    answer = traveller.arrives({"code": "x", "state": "y"})
    assert (answer.status_code, REFUSED in answer.content.decode()) == (403, True)
    assert is_in(traveller.client)


def test_many_refused_answers_are_held_up(acme: Tenant, provider: LocalProvider, traveller: Traveller) -> None:
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    statuses = [traveller.arrives({"code": "x", "state": "y"}).status_code for _ in range(21)]
    assert statuses == [403] * 20 + [429]
    assert refusals(acme)[-1].endswith("and held up")


def test_a_token_of_the_wrong_kind_or_of_nobody_is_refused(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jwt

    from controlplane.portal import vouching
    from core.aws.hosted import Tokens, exchange
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)

    def unsigned(tokens: Tokens) -> Tokens:
        claims = jwt.decode(tokens.id_token, options={"verify_signature": False})
        kid = jwt.get_unverified_header(tokens.id_token)["kid"]
        return Tokens(jwt.encode(claims, None, algorithm="none", headers={"kid": kid}), tokens.access_token)

    for forge, why in (
        (lambda tokens: Tokens(tokens.access_token, tokens.access_token), "claim-missing"),
        (lambda tokens: Tokens(tokens.id_token, tokens.id_token), "claim-missing"),
        (unsigned, "wrong-algorithm"),
        (lambda tokens: Tokens("x.y.z", tokens.access_token), "malformed"),
    ):
        monkeypatch.setattr(vouching, "exchange", lambda *args, forge=forge, **values: forge(exchange(*args, **values)))
        assert_refused(traveller.goes(), traveller.client, acme, why)


def test_a_pool_that_does_not_answer_is_said_and_lets_nobody_in(
    acme: Tenant, dee: Member, provider: LocalProvider, traveller: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controlplane.portal import vouching
    from core.aws.hosted import HostedAwayError
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    query = traveller.travels(traveller.leaves())

    def away(*args: object, **values: object) -> None:
        raise HostedAwayError

    monkeypatch.setattr(vouching, "exchange", away)
    assert traveller.arrives(query).status_code == 503
    assert not is_in(traveller.client)
