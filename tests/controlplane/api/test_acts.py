"""Acts: each starts its operation once, in the states that allow it, with its reason on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from core.audit.models import AuditEvent
from provisioning.models import Operation
from tenants.models import Tenant
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


@pytest.mark.parametrize(
    ("act", "body", "kind", "state"),
    [
        ("suspend", {}, "suspend", "suspended"),
        ("repair", {}, "repair", "active"),
        ("change-tier", {"tier": "premium"}, "change_tier", "active"),
        ("offboard", {}, "offboard", "offboarding"),
        ("offboard", {"grace_seconds": 60}, "offboard", "offboarding"),
    ],
)
def test_an_act_on_an_active_tenant(api: Machine, acme: Tenant, act: str, body: dict[str, Any], kind: str, state: str) -> None:
    answer = api.post(f"tenants/acme:{act}", {**body, "reason": "because of this"})
    assert answer.status == 202
    assert (answer.body["kind"], answer.body["tenant"], answer.body["reason"]) == (kind, acme.pk, "because of this")
    assert answer.headers["Location"] == f"/api/v1/operations/{answer.body['id']}"
    acme.refresh_from_db()
    assert acme.state == state
    event = AuditEvent.objects.get(action="operation.started")
    assert api.row is not None
    assert (event.actor_id, event.reason, event.tenant_id) == (api.row.pk, "because of this", acme.pk)


def test_the_grace_is_the_callers_or_the_tiers(api: Machine, acme: Tenant, globex: Tenant) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        api.post("tenants/acme:offboard", {"reason": "they left", "grace_seconds": 3600})
        api.post("tenants/globex:offboard", {"reason": "they left"})
    acme.refresh_from_db()
    globex.refresh_from_db()
    assert acme.offboard_due_at == now + timedelta(hours=1)
    assert globex.offboard_due_at == now + timedelta(days=30)


def test_a_suspended_tenant_is_resumed(api: Machine, initech: Tenant) -> None:
    assert api.post("tenants/initech:resume", {"reason": "they paid"}).body["kind"] == "resume"


def test_offboarding_is_undone(api: Machine, acme: Tenant) -> None:
    started = api.post("tenants/acme:offboard", {"reason": "they left"})
    Operation.objects.filter(pk=started.body["id"]).update(state="succeeded")
    assert api.post("tenants/acme:undo-offboard", {"reason": "they came back"}).body["kind"] == "undo_offboard"


@pytest.mark.parametrize(
    ("slug", "act"), [("acme", "resume"), ("acme", "undo-offboard"), ("initech", "suspend"), ("initech", "undo-offboard")]
)
def test_an_act_in_the_wrong_state_is_refused(api: Machine, acme: Tenant, initech: Tenant, slug: str, act: str) -> None:
    answer = api.post(f"tenants/{slug}:{act}", {"reason": "because of this"})
    assert (answer.status, kind_of(answer)) == (409, "illegal-transition")
    assert not Operation.objects.exists()


def test_two_operations_do_not_run_at_once(api: Machine, acme: Tenant) -> None:
    api.post("tenants/acme:repair", {"reason": "first of all"})
    answer = api.post("tenants/acme:change-tier", {"reason": "grown", "tier": "premium"})
    assert (answer.status, kind_of(answer)) == (409, "operation-under-way")
    acme.refresh_from_db()
    assert acme.tier_id == "basic"


@pytest.mark.parametrize(
    ("act", "body", "pointers"),
    [
        ("suspend", {}, ["/reason"]),
        ("suspend", {"reason": "  "}, ["/reason"]),
        ("suspend", {"reason": "x" * 501}, ["/reason"]),
        ("suspend", {"reason": 5}, ["/reason"]),
        ("suspend", {"reason": "bell \x07 rings"}, ["/reason"]),
        ("suspend", {"reason": "unpaid", "grace_seconds": 5}, ["/grace_seconds"]),
        ("change-tier", {"reason": "grown"}, ["/tier"]),
        ("change-tier", {"reason": "grown", "tier": "gold"}, ["/tier"]),
        ("change-tier", {"reason": "grown", "tier": "basic"}, ["/tier"]),
        ("offboard", {"reason": "they left", "grace_seconds": -1}, ["/grace_seconds"]),
        ("offboard", {"reason": "they left", "grace_seconds": 1e300}, ["/grace_seconds"]),
        ("offboard", {"reason": "they left", "grace_seconds": 10**400}, ["/grace_seconds"]),
        ("offboard", {"reason": "they left", "grace_seconds": True}, ["/grace_seconds"]),
        ("offboard", {"reason": "they left", "grace_seconds": "60"}, ["/grace_seconds"]),
        ("offboard", {"reason": "they left", "grace_seconds": None}, ["/grace_seconds"]),
    ],
)
def test_a_wrong_field_of_an_act_is_named(api: Machine, acme: Tenant, act: str, body: dict[str, Any], pointers: list[str]) -> None:
    answer = api.post(f"tenants/acme:{act}", body)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.body["errors"]] == pointers
    assert not Operation.objects.exists()


@pytest.fixture
def failed(api: Machine, acme: Tenant) -> Operation:
    started = api.post("tenants/acme:change-tier", {"reason": "grown", "tier": "premium"})
    Operation.objects.filter(pk=started.body["id"]).update(
        state="failed", error_code="LimitExceeded", error_detail="Too many pools."
    )
    return Operation.objects.get(pk=started.body["id"])


def test_a_failed_operation_says_what_can_be_done(api: Machine, failed: Operation) -> None:
    shown = api.get(f"operations/{failed.pk}").body
    assert shown["error"] == {"code": "LimitExceeded", "detail": "Too many pools."}
    assert shown["actions"] == ["retry", "abandon"]


def test_retry_lets_it_go_on(api: Machine, failed: Operation) -> None:
    answer = api.post(f"operations/{failed.pk}:retry", {"reason": "the limit was raised"})
    assert (answer.status, answer.body["id"], answer.body["state"], answer.body["error"]) == (202, failed.pk, "pending", None)
    assert kind_of(api.post(f"operations/{failed.pk}:retry", {"reason": "once more"})) == "conflict"


def test_abandon_leads_back(api: Machine, failed: Operation, acme: Tenant) -> None:
    answer = api.post(f"operations/{failed.pk}:abandon", {"reason": "they changed their mind"})
    assert answer.status == 202
    assert answer.body["id"] != failed.pk
    assert answer.body["target"]["abandons"] == failed.pk
    acme.refresh_from_db()
    assert acme.tier_id == "basic"


@pytest.mark.parametrize("act", ["retry", "abandon"])
def test_an_operation_that_is_under_way_is_left_alone(api: Machine, acme: Tenant, act: str) -> None:
    started = api.post("tenants/acme:repair", {"reason": "first of all"})
    answer = api.post(f"operations/{started.body['id']}:{act}", {"reason": "because of this"})
    assert answer.status == 409
    unknown = api.post(f"operations/op_00000000000000000000000000:{act}", {"reason": "because of this"})
    assert unknown.status == 404
