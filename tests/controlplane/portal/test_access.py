"""Routes by roles, whole: generated from the URL configuration, so that a new route without a rule fails here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver
from django.urls.converters import SlugConverter, StringConverter

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

SignedIn = Callable[["Member"], Client]
METHODS = ("GET", "POST", "PUT")
OTHERS = ("HEAD", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
ROLES = ("owner", "admin", "developer", "viewer")


def routes() -> Iterator[tuple[str, str]]:
    """Give every route of the portal: its name, and an address at acme with made-up ids in it."""
    from controlplane.portal.urls import urlpatterns

    yield from _walk(urlpatterns, "/portal/acme/")


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        text = str(pattern.pattern)
        for name, converter in pattern.pattern.converters.items():
            kind = {SlugConverter: "slug", StringConverter: "str"}.get(type(converter), "")
            for spelling in (f"<{kind}:{name}>", f"<{name}>"):
                text = text.replace(spelling, "no-such-thing")
        assert "<" not in text, f"teach this test the converter in {text}"
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, before + text)
        else:
            yield str(pattern.name), before + text


def test_every_route_has_a_rule_and_every_rule_a_route(db: None) -> None:
    from controlplane.portal.access import OPEN, RULES

    names = [name for name, _ in routes()]
    assert "None" not in names
    assert len(names) == len(set(names)) > 20
    assert not set(OPEN) & set(RULES)
    assert set(names) == {*OPEN, *RULES}


def test_no_rule_is_empty_or_names_what_is_no_method() -> None:
    from controlplane.portal.access import OPEN, RULES

    for methods in (*RULES.values(), *OPEN.values()):
        assert methods
        assert set(methods) <= {"GET", "POST"}
    assert all(roles for methods in RULES.values() for roles in methods.values())


def test_nobody_who_only_looks_can_change_anything() -> None:
    from controlplane.portal.access import RULES

    own = {"sign-out", "account-device", "account-device-remove", "account-sign-out-everywhere"}
    assert {name for name, methods in RULES.items() if "viewer" in methods.get("POST", ())} == own


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_through_where_its_rule_says_and_nowhere_else(acme: Tenant, signed_in: SignedIn, role: str) -> None:
    """With ids that name nothing, so that whoever is let through changes nothing: what counts is who is turned away."""
    from controlplane.portal.access import OPEN, RULES
    from tests.controlplane.portal.people import plant
    from tests.tenants.members.world import new_member

    member = new_member(acme, role)
    wrong = []
    for name, address in routes():
        if name in OPEN or name == "account-sign-out-everywhere":
            continue
        client = Client(raise_request_exception=False)
        client.cookies["portal"] = plant(member)
        for method in METHODS if role != "owner" else (*OTHERS, *METHODS):
            status = client.generic(method, address).status_code
            rule = RULES[name].get("GET" if method == "HEAD" else method)
            expected = {405} if rule is None else {403} if role not in rule else {200, 204, 302, 400, 404, 409, 422}
            if status not in expected:
                wrong.append((method, name, status, expected))
            if name in ("sign-out", "account-device-remove"):
                client.cookies["portal"] = plant(member)
    assert wrong == []


def test_nobody_and_a_stranger_get_nothing(acme: Tenant, stranger: Member, signed_in: SignedIn) -> None:
    from controlplane.portal.access import OPEN

    anonymous, foreign = Client(), signed_in(stranger)
    wrong = []
    for name, address in routes():
        for method in ("GET", "POST"):
            mine = anonymous.generic(method, address)
            theirs = foreign.generic(method, address)
            if name in OPEN:
                continue
            if mine.status_code != 302 or not mine.headers["Location"].startswith("/portal/acme/sign-in/"):
                wrong.append((method, name, "anonymous", mine.status_code))
            if theirs.status_code != 404:
                wrong.append((method, name, "stranger", theirs.status_code))
    assert wrong == []


def test_an_unknown_short_name_tells_nothing(acme: Tenant) -> None:
    client = Client()
    for address in (
        "/portal/nobody/",
        "/portal/nobody/sign-in/",
        f"/portal/{acme.pk}/sign-in/",
        "/portal/ACME/sign-in/",
        "/portal/",
    ):
        assert client.get(address).status_code == 404, address
    bodies = {name: client.get(f"/portal/{name}/sign-in/").content.decode() for name in ("nobody", "no")}
    # The page leads to what was typed; but for that, nothing differs.
    pages = {re.sub(rf"[0-9a-f]{{32}}|/portal/{name}/", "", body) for name, body in bodies.items()}
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        ("provisioning", 503, "being set up"),
        ("suspended", 403, "is suspended"),
        ("offboarding", 403, "is being offboarded"),
        ("closed", 410, "has been closed"),
    ],
)
def test_a_tenant_that_is_not_active_says_what_is_happening(
    acme: Tenant, owner: Member, signed_in: SignedIn, state: str, status: int, said: str
) -> None:
    from django.utils import timezone

    from tenants.models import Tenant

    Tenant.objects.filter(pk=acme.pk).update(state=state, offboard_due_at=timezone.now())
    for client in (Client(), signed_in(owner)):
        for address in ("/portal/acme/", "/portal/acme/sign-in/", "/portal/acme/members/"):
            answer = client.get(address)
            assert (answer.status_code, said in answer.content.decode()) == (status, True)
        assert client.post("/portal/acme/sign-in/", {"email": owner.email, "password": "x"}).status_code == status


def test_a_form_without_its_token_is_refused_and_changes_nothing(acme: Tenant, owner: Member, viewer: Member) -> None:
    from tests.controlplane.portal.people import plant

    client = Client(enforce_csrf_checks=True)
    client.cookies["portal"] = plant(owner)
    address = f"/portal/acme/members/{viewer.pk}/remove/"
    assert client.post(address, {"revision": "1"}).status_code == 403
    viewer.refresh_from_db()
    assert viewer.state == "active"
    token = client.get(address).cookies["csrf"].value
    assert client.post(address, {"revision": "1", "csrfmiddlewaretoken": token}).status_code == 302


def test_a_nul_is_a_bad_request(acme: Tenant, owner: Member, signed_in: SignedIn) -> None:
    assert signed_in(owner).get("/portal/acme/members/?q=%00").status_code == 400
    assert signed_in(owner).post("/portal/acme/members/invite/", {"email": "a\x00@x.example", "role": "viewer"}).status_code == 400
