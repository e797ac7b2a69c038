"""The pages about people: what each shows, what bad input gets, and that another tenant's people are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

SignedIn = Callable[["Member"], Client]


@pytest.fixture(autouse=True)
def _fresh_counts(clean_redis: object) -> None:
    """Nobody has failed yet."""


def of(member: Member, act: str = "") -> str:
    return f"/portal/acme/members/{member.pk}/{act}/" if act else f"/portal/acme/members/{member.pk}/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_list_shows_everybody_of_this_tenant_and_nobody_else(
    signed_in: SignedIn, owner: Member, viewer: Member, stranger: Member
) -> None:
    page = text(signed_in(owner).get("/portal/acme/members/"))
    assert owner.email in page
    assert viewer.email in page
    assert stranger.email not in page
    assert "Invite somebody" in page
    assert "Invite somebody" not in text(signed_in(viewer).get("/portal/acme/members/"))


def test_an_invitation_says_until_when_and_that_it_has_ended(signed_in: SignedIn, acme: Tenant, owner: Member) -> None:
    from datetime import timedelta

    from django.utils import timezone

    new_member(acme, "viewer", state="invited", invitation_expires_at=timezone.now() + timedelta(days=2))
    new_member(acme, "viewer", state="invited", invitation_expires_at=timezone.now() - timedelta(days=2))
    page = text(signed_in(owner).get("/portal/acme/members/?state=invited"))
    assert "Good until" in page
    assert "Invitation expired" in page


def test_inviting_keeps_what_was_typed_and_names_the_field(signed_in: SignedIn, owner: Member, viewer: Member) -> None:
    client = signed_in(owner)
    for email, said in (("nonsense", "@"), (viewer.email, "is a member already"), ("", "required")):
        answer = client.post("/portal/acme/members/invite/", {"email": email, "name": "Zed Zeta", "role": "developer"})
        page = text(answer)
        assert answer.status_code == 422
        assert said in page
        assert "Zed Zeta" in page
        assert 'aria-invalid="true"' in page
    answer = client.post("/portal/acme/members/invite/", {"email": "z@acme.example", "name": "", "role": "king"})
    assert answer.status_code == 422
    answer = client.post("/portal/acme/members/invite/", {"email": "z@acme.example", "name": "Zed", "role": "developer"})
    assert answer.status_code == 302
    assert "z@acme.example is invited" in text(client.get("/portal/acme/members/"))


def test_an_admin_is_not_offered_owners_and_cannot_make_one_by_hand(signed_in: SignedIn, owner: Member, admin: Member) -> None:
    from tenants.members.models import Member

    client = signed_in(admin)
    assert 'value="owner"' not in text(client.get("/portal/acme/members/invite/"))
    answer = client.post("/portal/acme/members/invite/", {"email": "z@acme.example", "name": "", "role": "owner"})
    assert answer.status_code == 422
    for act in ("disable", "remove", "sign-out", "reset-device"):
        assert client.post(of(owner, act), {"revision": owner.revision}).status_code == 403, act
    assert client.post(of(owner, "role"), {"role": "viewer", "revision": owner.revision}).status_code == 403
    assert Member.objects.filter(tenant=admin.tenant, role="owner").count() == 1


def test_changing_a_role(signed_in: SignedIn, owner: Member, viewer: Member) -> None:
    client = signed_in(owner)
    answer = client.post(of(viewer, "role"), {"role": "developer", "revision": viewer.revision})
    assert answer.status_code == 302
    viewer.refresh_from_db()
    assert viewer.role == "developer"
    stale = client.post(of(viewer, "role"), {"role": "admin", "revision": 1})
    assert (stale.status_code, "changed by somebody else" in text(stale)) == (409, True)
    assert client.post(of(viewer, "role"), {"role": "king", "revision": 2}).status_code == 422
    assert client.post(of(viewer, "role"), {"role": "admin"}).status_code == 422
    viewer.refresh_from_db()
    assert viewer.role == "developer"


def test_an_act_is_asked_before_it_is_done_and_a_stale_one_is_refused(signed_in: SignedIn, owner: Member, viewer: Member) -> None:
    client = signed_in(owner)
    page = text(client.get(of(viewer, "disable")))
    assert "They are out at their next click" in page
    viewer.refresh_from_db()
    assert viewer.state == "active"
    assert client.post(of(viewer, "disable"), {"revision": viewer.revision + 1}).status_code == 409
    viewer.refresh_from_db()
    assert viewer.state == "active"
    assert client.post(of(viewer, "disable"), {"revision": viewer.revision, "reason": "on leave"}).status_code == 302
    viewer.refresh_from_db()
    assert (viewer.state, viewer.state_reason) == ("disabled", "on leave")
    assert client.post(of(viewer, "enable"), {"revision": viewer.revision}).status_code == 302
    viewer.refresh_from_db()
    assert client.post(of(viewer, "remove"), {"revision": viewer.revision}).status_code == 302
    viewer.refresh_from_db()
    assert viewer.state == "removed"
    assert client.post(of(viewer, "enable"), {"revision": viewer.revision}).status_code == 409


def test_the_last_owner_is_told_so(signed_in: SignedIn, acme: Tenant, owner: Member) -> None:
    other = new_member(acme, "owner")
    client = signed_in(other)
    assert client.post(of(owner, "remove"), {"revision": owner.revision}).status_code == 302
    answer = client.post(of(other, "remove"), {"revision": other.revision})
    assert answer.status_code == 403
    other.refresh_from_db()
    assert other.state == "active"


def test_another_tenants_member_is_not_there(signed_in: SignedIn, owner: Member, stranger: Member) -> None:
    client = signed_in(owner)
    assert client.get(of(stranger)).status_code == 404
    for act in ("disable", "remove", "sign-out", "reset-device", "resend", "cancel", "enable"):
        assert client.get(of(stranger, act)).status_code == 404
        assert client.post(of(stranger, act), {"revision": 1}).status_code == 404
    assert client.post(of(stranger, "role"), {"role": "viewer", "revision": 1}).status_code == 404
    assert client.get(of(owner, "promote")).status_code == 404


def test_the_policy_and_its_stale_form(signed_in: SignedIn, acme: Tenant, owner: Member, viewer: Member) -> None:
    from tenants.members import devices
    from tests.tenants.members.test_devices import enrolled

    client = signed_in(owner)
    address = "/portal/acme/members/policy/"
    assert client.post(address, {"totp_required": "yes", "revision": "1"}).status_code == 409
    enrolled(owner)
    assert client.post(address, {"totp_required": "yes", "revision": "nonsense"}).status_code == 404
    assert client.post(address, {"totp_required": "yes", "revision": "1"}).status_code == 302
    assert devices.is_required(acme.pk)
    assert client.post(address, {"totp_required": "no", "revision": "1"}).status_code == 409
    assert devices.is_required(acme.pk)


def test_ones_own_authenticator(signed_in: SignedIn, viewer: Member) -> None:
    import re

    from tenants.members import selectors
    from tests.tenants.members.test_devices import code_of

    client = signed_in(viewer)
    address = "/portal/acme/account/authenticator/"
    page = text(client.get(address))
    assert "<svg" in page
    shown = re.search(r'data-testid="typed-secret">([A-Z2-7 ]+)<', page)
    assert shown is not None
    from controlplane.portal.pending import SECRET_KEY
    from controlplane.portal.sessions import PortalSession

    secret = PortalSession(client.cookies["portal"].value)[SECRET_KEY]
    code = code_of(secret)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert client.post(address, {"code": wrong}).status_code == 422
    assert client.post(address, {"code": "12"}).status_code == 422
    assert client.post(address, {"code": f"{code[:3]} {code[3:]}"}).status_code == 302
    assert selectors.has_device(viewer)
    assert client.post("/portal/acme/account/authenticator/remove/").status_code == 302
    assert not selectors.has_device(viewer)
    assert client.get("/portal/acme/account/").status_code == 302


def test_wrong_codes_are_slowed_down(signed_in: SignedIn, viewer: Member) -> None:
    client = signed_in(viewer)
    for _ in range(5):
        client.post("/portal/acme/account/authenticator/", {"code": "000000"})
    assert "Too many wrong codes" in text(client.post("/portal/acme/account/authenticator/", {"code": "000000"}))


def test_signing_out_everywhere_ends_every_session(signed_in: SignedIn, viewer: Member) -> None:
    here, there = signed_in(viewer), signed_in(viewer)
    assert here.post("/portal/acme/account/sign-out-everywhere/").status_code == 302
    assert there.get("/portal/acme/account/").status_code == 302


def test_the_list_asks_the_database_as_often_for_five_hundred(
    signed_in: SignedIn, acme: Tenant, owner: Member, django_assert_max_num_queries: Any
) -> None:
    from tenants.members.models import Member

    client = signed_in(owner)
    client.get("/portal/acme/members/")
    Member.objects.bulk_create(
        Member(
            tenant=acme,
            email=f"m{n}@a.example",
            address=f"m{n}@a.example",
            username=f"u{n}",
            role="viewer",
            state="active",
            invited_by="x",
            invited_at=owner.invited_at,
        )
        for n in range(500)
    )
    with django_assert_max_num_queries(8):
        page = text(client.get("/portal/acme/members/?page=3"))
    assert "Page 3 of 26" in page
