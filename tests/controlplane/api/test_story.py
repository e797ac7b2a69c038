"""A tenant's whole life through the door alone: no page, no shell, and a worker that does what operations say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.audit.verify import verify
from core.errors import DomainError
from provisioning.models import Operation
from provisioning.sweeping import start_due_removals
from tenants.models import Tenant
from tests.cast import finish, ready_cell
from tests.controlplane.api.machine import Answer, Machine
from tests.provisioning.fakes import World, make_believe

pytestmark = pytest.mark.django_db
ACME = {"slug": "acme", "name": "Acme", "tier": "basic", "admin_email": "admin@acme.example", "reason": "signed today"}


class DeniedError(DomainError):
    code = "AccessDenied"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_believe(monkeypatch) as world:
        ready_cell()
        yield world


def carried_out(api: Machine, started: Answer) -> Any:
    """Let a worker finish what was started; gives the operation as the API shows it then."""
    assert started.status == 202, started.body
    where = started.headers["Location"]
    before = api.get(where)
    assert (before.body, before.body["state"]) == (started.body, "pending")
    finish(Operation.objects.get(pk=started.body["id"]))
    after = api.get(where, If_None_Match=before.headers["ETag"])
    assert after.status == 200
    return after.body


def test_from_onboarding_to_closed(api: Machine, world: World) -> None:
    done = carried_out(api, api.post("tenants", ACME))
    assert (done["state"], done["steps_done"]) == ("succeeded", done["steps_total"])
    assert {step["state"] for step in done["steps"]} == {"succeeded"}
    tenant = api.get("tenants/acme").body
    assert (tenant["state"], tenant["id"]) == ("active", done["tenant"])
    assert {item["state"] for item in api.get("tenants/acme/resources").body["items"]} == {"present"}

    for act, body, state, tier in (
        ("suspend", {}, "suspended", "basic"),
        ("resume", {}, "active", "basic"),
        ("change-tier", {"tier": "premium"}, "active", "premium"),
        ("repair", {}, "active", "premium"),
        ("offboard", {"grace_seconds": 3600}, "offboarding", "premium"),
        ("undo-offboard", {}, "active", "premium"),
        ("offboard", {"grace_seconds": 0}, "offboarding", "premium"),
    ):
        assert act in api.get("tenants/acme").body["actions"]
        done = carried_out(api, api.post(f"tenants/acme:{act}", {**body, "reason": f"the story says {act}"}))
        assert done["state"] == "succeeded", done
        tenant = api.get("tenants/acme").body
        assert (tenant["state"], tenant["tier"]) == (state, tier)

    Tenant.objects.update(offboard_due_at=timezone.now() - timedelta(seconds=1))
    start_due_removals()
    removal = api.get("tenants/acme/operations?kind=deprovision").body["items"][0]
    finish(Operation.objects.get(pk=removal["id"]))
    tenant = api.get("tenants/acme").body
    assert (tenant["state"], tenant["actions"]) == ("closed", [])
    assert api.get("tenants/acme/resources").body["items"] == []
    assert not [name for name in world.things if tenant["id"] in name]

    reasons = {item["reason"] for item in api.get("tenants/acme/events?limit=200").body["items"]}
    assert {"signed today", "the story says suspend", "the story says undo-offboard"} <= reasons
    assert verify(tenant_id=tenant["id"]).ok


def test_a_failure_is_told_mended_and_gone(api: Machine, world: World) -> None:
    def refuse() -> None:
        raise DeniedError("not authorised to make a client")

    world.plan("ensure", "client", refuse)
    failed = carried_out(api, api.post("tenants", ACME))
    assert (failed["state"], failed["actions"]) == ("failed", ["retry", "abandon"])
    assert failed["error"]["code"] == "AccessDenied"
    assert api.get("tenants/acme").body["state"] == "provisioning"
    done = carried_out(api, api.post(f"operations/{failed['id']}:retry", {"reason": "the role was mended"}))
    assert (done["state"], done["error"]) == ("succeeded", None)
    assert api.get("tenants/acme").body["state"] == "active"


def test_an_onboarding_that_is_given_up_leaves_nothing(api: Machine, world: World) -> None:
    def refuse() -> None:
        raise DeniedError("not authorised to make a client")

    world.plan("ensure", "client", refuse)
    failed = carried_out(api, api.post("tenants", ACME))
    gone = carried_out(api, api.post(f"operations/{failed['id']}:abandon", {"reason": "they changed their mind"}))
    assert gone["state"] == "succeeded"
    assert api.get(f"operations/{failed['id']}").body["state"] == "abandoned"
    assert api.get("tenants/acme").body["state"] == "closed"
    assert not [name for name in world.things if failed["tenant"] in name]
