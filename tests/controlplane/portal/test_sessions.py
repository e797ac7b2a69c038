"""A session of the portal: whose it is, how long it lasts, and that the member's row is asked at every request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client

from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

SignedIn = Callable[["Member"], Client]
HERE = "/portal/acme/members/"


def test_a_member_is_let_in_and_everybody_else_is_sent_to_sign_in(signed_in: SignedIn, viewer: Member) -> None:
    assert signed_in(viewer).get(HERE).status_code == 200
    anonymous = Client().get(f"{HERE}?q=a")
    assert anonymous.headers["Location"] == "/portal/acme/sign-in/?next=%2Fportal%2Facme%2Fmembers%2F%3Fq%3Da"


def test_another_tenants_member_finds_nothing_and_stays_signed_in_at_home(
    signed_in: SignedIn, viewer: Member, stranger: Member
) -> None:
    client = signed_in(stranger)
    assert client.get("/portal/acme/").status_code == 404
    assert client.get("/portal/globex/members/").status_code == 200


@pytest.mark.parametrize("act", ["disable", "remove", "sign_out_everywhere", "change_role", "password"])
def test_what_happens_to_a_member_holds_at_their_next_request(signed_in: SignedIn, acme: Tenant, owner: Member, act: str) -> None:
    from django.db import transaction

    from tenants.members import services
    from tests.cast import OPERATOR

    member = new_member(acme, "admin")
    client = signed_in(member)
    invite = "/portal/acme/members/invite/"
    assert client.get(invite).status_code == 200
    if act == "password":
        with transaction.atomic():
            services.end_sessions(member)
    else:
        also = {"role": "viewer"} if act == "change_role" else {}
        getattr(services, act)(actor=OPERATOR, tenant_id=acme.pk, member_id=member.pk, **also)
    after = client.get(invite)
    if act == "change_role":
        assert after.status_code == 403
    else:
        assert after.headers["Location"].startswith("/portal/acme/sign-in/")


def test_enabling_somebody_brings_no_old_session_back(signed_in: SignedIn, acme: Tenant, viewer: Member, owner: Member) -> None:
    from tenants.members import services
    from tests.cast import OPERATOR

    client = signed_in(viewer)
    services.disable(actor=OPERATOR, tenant_id=acme.pk, member_id=viewer.pk)
    services.enable(actor=OPERATOR, tenant_id=acme.pk, member_id=viewer.pk)
    assert client.get(HERE).status_code == 302


@pytest.mark.parametrize("kept", ["began", "seen"])
def test_a_session_ends_with_its_age_and_with_idleness(viewer: Member, kept: str) -> None:
    from tests.controlplane.portal.people import plant

    longest = settings.PORTAL_SESSION_SECONDS if kept == "began" else settings.PORTAL_IDLE_SECONDS
    for age, status in ((longest - 30, 200), (longest + 1, 302)):
        client = Client()
        client.cookies["portal"] = plant(viewer, **{kept: time.time() - age})
        assert client.get(HERE).status_code == status, age


def test_being_there_is_written_down_once_a_minute(viewer: Member) -> None:
    from tests.controlplane.portal.people import plant

    client = Client()
    client.cookies["portal"] = plant(viewer, seen=time.time() - 61)
    client.get(HERE)
    viewer.refresh_from_db()
    first = viewer.last_seen_at
    assert first is not None
    client.get(HERE)
    viewer.refresh_from_db()
    assert viewer.last_seen_at == first


def test_sessions_of_operators_and_of_members_do_not_read_as_each_other(viewer: Member, admin_user: object) -> None:
    from tests.controlplane.portal.people import plant

    key = plant(viewer)
    client = Client()
    client.cookies["session"] = key
    assert client.get(HERE).status_code == 302
    assert client.get("/console/").status_code == 302
    client.cookies["portal"] = key
    assert client.get(HERE).status_code == 200
    assert client.get("/console/").status_code == 302
    operator = Client()
    operator.force_login(admin_user)  # type: ignore[arg-type]
    operator.cookies["portal"] = operator.cookies["session"].value
    assert operator.get(HERE).status_code == 302


def test_signing_in_while_signed_in_goes_home(signed_in: SignedIn, viewer: Member) -> None:
    assert signed_in(viewer).get("/portal/acme/sign-in/").headers["Location"] == "/portal/acme/"


def test_signing_out_ends_the_session_and_not_only_the_cookie(signed_in: SignedIn, viewer: Member) -> None:
    client = signed_in(viewer)
    key = client.cookies["portal"].value
    assert client.post("/portal/acme/sign-out/").status_code == 302
    assert client.cookies["portal"].value != key
    again = Client()
    again.cookies["portal"] = key
    assert again.get(HERE).status_code == 302


def test_nothing_of_the_portal_is_cached_and_its_policy_is_strict(signed_in: SignedIn, viewer: Member) -> None:
    for answer in (signed_in(viewer).get(HERE), Client().get("/portal/acme/sign-in/")):
        assert "no-store" in answer.headers["Cache-Control"]
        assert "Cookie" in answer.headers["Vary"]
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert part in policy
        page = answer.content.decode()
        assert " style=" not in page
        assert " onclick=" not in page


def test_with_tls_the_cookie_is_kept_from_plain_http(viewer: Member, settings: object) -> None:
    from tests.controlplane.portal.people import plant

    settings.USE_TLS = True  # type: ignore[attr-defined]
    client = Client()
    client.cookies["portal"] = plant(viewer, seen=time.time() - 61)
    cookie = client.get(HERE).cookies["portal"]
    assert (cookie["secure"], cookie["httponly"], cookie["path"]) == (True, True, "/portal/")


def test_a_planted_session_with_another_tenant_in_it_is_none(viewer: Member, stranger: Member) -> None:
    from controlplane.portal.sessions import KEY, PortalSession
    from tests.controlplane.portal.people import plant

    key = plant(viewer)
    session = PortalSession(key)
    session[KEY] = {**session[KEY], "tenant": stranger.tenant_id}
    session.save()
    client = Client()
    client.cookies["portal"] = key
    assert client.get("/portal/globex/members/").status_code == 302


def test_pages_that_find_nothing_lead_back_into_the_portal_and_never_to_the_console(
    signed_in: SignedIn, acme: Tenant, viewer: Member, stranger: Member
) -> None:
    strict = Client(enforce_csrf_checks=True)
    for client, address, home in (
        (signed_in(viewer), "/portal/acme/nothing/", "/portal/acme/"),
        (signed_in(viewer), "/portal/acme/keys/key_x/", "/portal/acme/"),
        (signed_in(stranger), "/portal/acme/", "/portal/globex/"),
        (Client(), "/portal/acme/nothing/", "/portal/acme/"),
    ):
        answer = client.get(address)
        page = answer.content.decode()
        assert (answer.status_code, f'href="{home}"' in page, 'href="/console/"' in page) == (404, True, False), address
    forged = strict.post("/portal/acme/sign-in/", {"email": "a", "password": "b"})
    page = forged.content.decode()
    assert (forged.status_code, 'href="/portal/acme/"' in page, 'href="/console/"' in page) == (403, True, False)
    assert "Go to the portal" not in Client().get("/portal/nobody/").content.decode()
    assert Client().get("/portal/%00/").status_code == 404
    strange = Client().get("/portal/%3Cb%3E/nothing/").content.decode()
    assert ("<b>" in strange, "Go to the portal" in strange) == (False, False)
    assert 'href="/console/"' in Client().get("/nothing/").content.decode()
