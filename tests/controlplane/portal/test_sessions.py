"""A session of the portal: whose it is, how long it lasts, and that the member's row is asked at every request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.test import Client

if TYPE_CHECKING:
    from tenants.members.models import Member

SignedIn = Callable[["Member"], Client]


def test_a_member_is_let_in_and_everybody_else_is_sent_to_sign_in(signed_in: SignedIn, viewer: Member) -> None:
    assert signed_in(viewer).get("/portal/acme/").status_code in (200, 302)
    anonymous = Client().get("/portal/acme/")
    assert anonymous.headers["Location"].startswith("/portal/acme/sign-in/?next=")


def test_another_tenants_member_finds_nothing(signed_in: SignedIn, viewer: Member, stranger: Member) -> None:
    assert signed_in(stranger).get("/portal/acme/").status_code == 404
    assert signed_in(stranger).get("/portal/globex/").status_code in (200, 302)
