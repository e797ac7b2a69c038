"""Acts in the portal behind the limiter: a tenant's flood is its own, nothing that was typed is lost, and no secret is written into a page."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client, RequestFactory

from controlplane.portal.acting import typed_in
from tenants.keys.models import ApiKey
from tenants.members.models import Member
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
SLOW, WIDE = (1, 3), (1_000, 1_000)
ISSUE = {"name": "ingest <1>", "environment": "live", "scopes": ["events:write", "events:read"], "reference": "spoilt"}


@pytest.fixture(autouse=True)
def _slow(settings: Any) -> None:
    settings.DOOR_LIMITS = {**settings.DOOR_LIMITS, "portal-member": SLOW, "portal-tenant": WIDE}


def act(client: Client, slug: str = "acme") -> Any:
    """Send a form that is refused for what is in it: an act all the same."""
    return client.post(f"/portal/{slug}/keys/issue/", ISSUE)


def flood(client: Client, slug: str = "acme", number: int = 8) -> list[Any]:
    return [act(client, slug) for _ in range(number)]


def test_a_flood_is_told_to_wait_and_keeps_what_was_typed(signed_in: Callable[[Member], Client], owner: Member) -> None:
    answers = flood(signed_in(owner))
    assert [answer.status_code for answer in answers[:3]] == [422] * 3
    refused = answers[-1]
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["RateLimit"].startswith('"portal-member";r=0')
    body = refused.content.decode()
    assert "You have done more" in body
    assert "sent again in <strong" in body
    assert 'action="/portal/acme/keys/issue/"' in body
    assert "ingest <1>" not in body
    sent = dict.fromkeys(ISSUE) | {name: [] for name in ISSUE}
    for name, value in refused.context["typed"]:
        sent[name].append(value)
    assert sent == {name: value if isinstance(value, list) else [value] for name, value in ISSUE.items()}
    assert 'name="name" value="ingest <1>"' in unescape(body)
    assert not ApiKey.objects.exists()


def test_another_person_and_another_tenant_do_not_notice(
    signed_in: Callable[[Member], Client], owner: Member, admin: Member, stranger: Member
) -> None:
    assert flood(signed_in(owner))[-1].status_code == 429
    assert act(signed_in(admin)).status_code == 422
    assert act(signed_in(stranger), "globex").status_code == 422


def test_people_of_a_tenant_share_its_limit_and_another_has_its_own(
    signed_in: Callable[[Member], Client], owner: Member, admin: Member, stranger: Member, settings: Any
) -> None:
    settings.DOOR_LIMITS = {**settings.DOOR_LIMITS, "portal-member": WIDE, "portal-tenant": SLOW}
    flood(signed_in(owner))
    refused = act(signed_in(admin))
    assert refused.status_code == 429
    assert "The people of Acme have done more" in refused.content.decode()
    assert act(signed_in(stranger), "globex").status_code == 422


def test_looking_and_signing_out_go_on(signed_in: Callable[[Member], Client], owner: Member) -> None:
    client = signed_in(owner)
    flood(client)
    assert {client.get("/portal/acme/keys/").status_code for _ in range(8)} == {200}
    assert client.post("/portal/acme/sign-out/").status_code == 302


def test_who_may_not_act_at_all_hears_that_and_spends_nothing(signed_in: Callable[[Member], Client], viewer: Member) -> None:
    assert {answer.status_code for answer in flood(signed_in(viewer))} == {403}


def test_without_redis_people_still_act(signed_in: Callable[[Member], Client], owner: Member, settings: Any) -> None:
    client = signed_in(owner)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"  # nobody answers there
    answers = flood(client)
    assert answers[0].status_code == 422
    assert answers[-1].status_code == 429


@pytest.mark.parametrize("name", ["password", "again", "code", "client_secret"])
def test_a_secret_is_not_written_into_the_page(name: str) -> None:
    assert typed_in(RequestFactory().post("/", {"name": "ingest", name: "abc"})) is None


def test_neither_is_too_much(acme: Tenant) -> None:
    assert typed_in(RequestFactory().post("/", {"name": "x" * 100_001})) is None
    assert typed_in(RequestFactory().post("/", {"name": "x", "csrfmiddlewaretoken": "y"})) == [("name", "x")]
