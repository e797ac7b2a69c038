"""A tenant's first administrator at the door: shown, and invited again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.audit.models import AuditEvent
from tenants.members.models import Member
from tenants.models import Tenant
from tests.controlplane.api.machine import Machine
from tests.tenants.members.world import new_member

pytestmark = pytest.mark.django_db
PATH = "tenants/acme/administrator"
WHY = {"reason": "the mail was lost"}


@pytest.fixture
def first(acme: Tenant) -> Member:
    then = timezone.now() - timedelta(days=8)
    times = {"invited_at": then, "invitation_expires_at": then + timedelta(days=7), "joined_at": None}
    return new_member(acme, "owner", email="admin@acme.example", state="invited", is_first=True, **times)


def kind_of(answer: Any) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


def test_the_first_administrator_and_the_invitation_are_shown(api: Machine, globex: Tenant, first: Member) -> None:
    answer = api.get(PATH)
    assert answer.status == 200
    assert (answer.body["email"], answer.body["state"], answer.body["joined_at"]) == ("admin@acme.example", "invited", None)
    assert answer.body["invitation"]["standing"] == "expired"
    assert answer.body["invitation"]["ends_at"].endswith("Z")
    assert api.get(PATH, If_None_Match=answer.headers["ETag"]).status == 304
    assert api.get("tenants/globex/administrator").status == 404
    assert api.get(f"{PATH}?a=1").status == 422


def test_a_first_administrator_is_invited_again_once_a_key(api: Machine, first: Member) -> None:
    answer = api.post(f"{PATH}:invite-again", WHY, key="k")
    assert (answer.status, answer.body["invitation"]["standing"]) == (200, "sending")
    again = api.post(f"{PATH}:invite-again", WHY, key="k")
    assert (again.raw, again.headers["Idempotent-Replayed"]) == (answer.raw, "true")
    event = AuditEvent.objects.get(action="member.invited_again")
    assert api.row is not None
    assert (event.actor_id, event.reason, event.target) == (api.row.pk, "the mail was lost", first.pk)
    too_soon = api.post(f"{PATH}:invite-again", WHY)
    assert (too_soon.status, kind_of(too_soon), "Wait a minute" in too_soon.body["detail"]) == (409, "conflict", True)


@pytest.mark.parametrize(
    ("member", "tenant", "said"),
    [({"state": "active"}, {}, "joined already"), ({}, {"state": "suspended"}, "is suspended")],
)
def test_inviting_again_is_refused_in_words(
    api: Machine, acme: Tenant, first: Member, member: dict[str, Any], tenant: dict[str, Any], said: str
) -> None:
    Member.objects.filter(pk=first.pk).update(**{"role": "owner", **member})
    Tenant.objects.filter(pk=acme.pk).update(**{"name": "Acme", **tenant})
    answer = api.post(f"{PATH}:invite-again", WHY)
    assert (answer.status, said in answer.body["detail"]) == (409, True)
    first.refresh_from_db()
    assert first.mail_wanted == ""


def test_inviting_again_needs_a_reason_and_the_right(
    api: Machine, machine: Callable[..., Machine], globex: Tenant, first: Member
) -> None:
    refused = api.post(f"{PATH}:invite-again", {})
    assert [error["pointer"] for error in refused.body["errors"]] == ["/reason"]
    assert api.post("tenants/globex/administrator:invite-again", WHY).status == 404
    assert machine("tenants:read").post(f"{PATH}:invite-again", WHY).status == 403
    assert machine("keys:read").get(PATH).status == 404
    first.refresh_from_db()
    assert first.mail_wanted == ""
