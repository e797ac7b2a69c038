"""Tenants through the door: shown, listed, onboarded, renamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from controlplane.api.views import tenants as tenant_views
from core.audit.models import AuditEvent
from core.outbox.models import OutboxEvent
from provisioning.models import Operation, Resource
from tenants.models import Cell, OnboardingRequest, Tenant
from tests.controlplane.api.machine import Machine

pytestmark = pytest.mark.django_db
HOOLI = {"slug": "hooli", "name": "Hooli ✨", "tier": "premium", "admin_email": "gavin@hooli.example", "reason": "signed today"}


def test_a_tenant_is_shown_by_id_and_by_slug(api: Machine, acme: Tenant) -> None:
    by_id, by_slug = api.get(f"tenants/{acme.pk}"), api.get("tenants/ACME")
    assert by_id.raw == by_slug.raw
    assert by_id.body == {
        "id": acme.pk,
        "slug": "acme",
        "name": "Acme",
        "state": "active",
        "state_changed_at": by_id.body["state_changed_at"],
        "tier": "basic",
        "isolation_model": "pool",
        "cell": "dev-1",
        "created_at": by_id.body["created_at"],
        "admin_email": "admin@acme.example",
        "admin_name": "",
        "state_reason": "",
        "offboard_due_at": None,
        "actions": ["suspend", "change-tier", "repair", "offboard"],
    }
    assert by_id.body["created_at"].endswith("Z")


def test_actions_are_paths_and_follow_the_state(api: Machine, acme: Tenant, initech: Tenant) -> None:
    assert "resume" in api.get("tenants/initech").body["actions"]
    for tenant in (acme, initech):
        for action in api.get(f"tenants/{tenant.slug}").body["actions"]:
            assert api.ask("POST", f"tenants/{tenant.slug}:{action}", {}).status == 422


def test_an_unchanged_tenant_is_304(api: Machine, acme: Tenant) -> None:
    etag = api.get("tenants/acme").headers["ETag"]
    same = api.get("tenants/acme", If_None_Match=f'"other", {etag}')
    assert (same.status, same.raw, same.headers["ETag"]) == (304, b"", etag)
    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    assert api.get("tenants/acme", If_None_Match=etag).status == 200


def test_lists_filter_by_field(api: Machine, acme: Tenant, globex: Tenant, initech: Tenant) -> None:
    def slugs(query: str) -> list[str]:
        return [item["slug"] for item in api.get(f"tenants?{query}").body["items"]]

    assert slugs("ordering=slug") == ["acme", "globex", "initech"]
    assert slugs("ordering=-slug") == ["initech", "globex", "acme"]
    assert slugs("") == list(Tenant.objects.order_by("-pk").values_list("slug", flat=True))
    assert slugs("state=suspended") == ["initech"]
    assert slugs("tier=basic&state=active") == ["acme"]
    assert slugs("isolation_model=silo") == ["globex"]
    assert slugs("cell=dev-1&ordering=slug") == ["acme", "globex", "initech"]
    assert slugs("cell=dev-2") == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("state=broken", "state"),
        ("stat=active", "stat"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=9" + "9" * 5000, "limit"),
        ("ordering=name", "ordering"),
        ("ordering=password", "ordering"),
        ("cursor=nonsense", "cursor"),
        ("cursor=" + "a" * 600, "cursor"),
        ("tier=%00", "tier"),
        ("state=active&state=suspended", "state"),
        ("format=xml", "format"),
        ("tier__name=Basic", "tier__name"),
    ],
)
def test_a_wrong_query_names_its_parameter(api: Machine, acme: Tenant, query: str, parameter: str) -> None:
    answer = api.get(f"tenants?{query}")
    assert answer.status == 422
    assert [error["parameter"] for error in answer.body["errors"]] == [parameter]


def test_onboarding_starts_an_operation(api: Machine, cell: Cell, tiers: Any) -> None:
    answer = api.post("tenants", HOOLI)
    assert answer.status == 202
    operation = Operation.objects.get()
    assert answer.headers["Location"] == f"/api/v1/operations/{operation.pk}"
    assert api.get(answer.headers["Location"]).body == answer.body
    assert answer.body["kind"] == "onboard"
    assert answer.body["state"] == "pending"
    assert answer.body["steps_total"] == len(answer.body["steps"]) > 0
    tenant = Tenant.objects.get(slug="hooli")
    assert (tenant.name, tenant.state, tenant.tier_id) == ("Hooli ✨", "provisioning", "premium")
    assert answer.body["tenant"] == tenant.pk


def test_who_acted_and_why_is_kept(api: Machine, cell: Cell, tiers: Any) -> None:
    answer = api.post("tenants", HOOLI)
    assert api.row is not None
    event = AuditEvent.objects.get(action="operation.started")
    assert (event.actor_kind, event.actor_id, event.actor_label, event.reason) == ("operator", api.row.pk, "crm", "signed today")
    assert answer.body["actor"] == f"operator:{api.row.pk}"
    assert OutboxEvent.objects.filter(type="operation.started").count() == 1
    assert OnboardingRequest.objects.get().reference.startswith(f"api:{api.row.pk}:")


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"slug": "acme"}, ["/slug"]),
        ({"slug": "acrne"}, ["/slug"]),
        ({"slug": "admin"}, ["/slug"]),
        ({"slug": "../etc"}, ["/slug"]),
        ({"tier": "gold"}, ["/tier"]),
        ({"cell": "dev-9"}, ["/cell"]),
        ({"admin_email": "nobody"}, ["/admin_email"]),
        ({"slug": "-", "admin_email": "@"}, ["/admin_email", "/slug"]),
        ({"slug": None}, ["/slug"]),
        ({"slug": 7, "name": ["x"]}, ["/name", "/slug"]),
        ({"name": True}, ["/name"]),
        ({"name": "x" * 201}, ["/name"]),
        ({"name": "nul\x00"}, ["/name"]),
        ({"plan": "basic"}, ["/plan"]),
        ({"state": "active", "id": "tnt_mine"}, ["/id", "/state"]),
        ({"a/b~c": 1}, ["/a~1b~0c"]),
        ({"reason": {}}, ["/reason"]),
    ],
)
def test_a_wrong_field_is_named(api: Machine, acme: Tenant, change: dict[str, Any], pointers: list[str]) -> None:
    answer = api.post("tenants", {**HOOLI, **change})
    assert answer.status == 422
    assert sorted(error["pointer"] for error in answer.body["errors"]) == pointers
    assert Tenant.objects.count() == 1


def test_every_missing_field_is_named(api: Machine) -> None:
    answer = api.post("tenants", {})
    assert sorted(error["pointer"] for error in answer.body["errors"]) == ["/admin_email", "/name", "/slug", "/tier"]


def test_a_full_cell_says_which_quota(api: Machine, cell: Cell, tiers: Any) -> None:
    Cell.objects.filter(pk=cell.pk).update(quotas={"user_pools": 0})
    answer = api.post("tenants", HOOLI)
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (422, "cell-full")
    assert "user_pools: 0 of 0 in use" in answer.body["errors"][0]["detail"]


def test_a_rename_needs_the_version_that_was_read(api: Machine, acme: Tenant) -> None:
    read = api.get("tenants/acme").headers["ETag"]
    assert api.patch("tenants/acme", {"name": "Acme Ltd"}, etag="").status == 428
    first = api.patch("tenants/acme", {"name": "Acme Ltd", "reason": "they asked"}, etag=read)
    assert (first.status, first.body["name"]) == (200, "Acme Ltd")
    assert first.headers["ETag"] == api.get("tenants/acme").headers["ETag"] != read
    second = api.patch("tenants/acme", {"name": "Acme Inc"}, etag=read)
    assert (second.status, second.body["type"].rpartition("#")[2]) == (412, "precondition-failed")
    assert Tenant.objects.get(pk=acme.pk).name == "Acme Ltd"
    assert AuditEvent.objects.get(action="tenant.renamed").reason == "they asked"


@pytest.mark.parametrize("etag", ['"nonsense"', "nonsense", 'W/"weak"', ",,,", '""'])
def test_any_other_version_is_refused(api: Machine, acme: Tenant, etag: str) -> None:
    assert api.patch("tenants/acme", {"name": "Evil"}, etag=etag).status in (412, 428)
    assert Tenant.objects.get(pk=acme.pk).name == "Acme"


def test_who_comes_in_between_is_noticed(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is compared under the lock, not with what was read before it."""
    read = api.get("tenants/acme").headers["ETag"]
    real = tenant_views.selectors.get_tenant

    def read_then_lose_the_race(name: str) -> Tenant:
        row = real(name)
        Tenant.objects.filter(pk=row.pk).update(name="Somebody else was here")
        return row

    monkeypatch.setattr(tenant_views.selectors, "get_tenant", read_then_lose_the_race)
    assert api.patch("tenants/acme", {"name": "Acme Ltd"}, etag=read).status == 412
    assert Tenant.objects.get(pk=acme.pk).name == "Somebody else was here"


def test_a_weak_tag_does_not_match(api: Machine, acme: Tenant) -> None:
    read = api.get("tenants/acme").headers["ETag"]
    assert api.patch("tenants/acme", {"name": "Evil"}, etag=f"W/{read}").status == 412


def test_any_version_can_be_meant(api: Machine, acme: Tenant) -> None:
    assert api.patch("tenants/acme", {"name": "Acme Ltd"}, etag="*").status == 200
    assert api.patch("tenants/hooli", {"name": "Hooli"}, etag="*").status == 404


@pytest.mark.parametrize("body", [{"slug": "other"}, {"state": "active"}, {"name": ""}, {"name": None}, [], "name", None, 7])
def test_only_the_name_can_be_changed(api: Machine, acme: Tenant, body: Any) -> None:
    assert api.patch("tenants/acme", body, etag="*").status == 422


@pytest.fixture
def ledger(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        for kind, state, attributes in (
            ("app_client", "present", {"client_id": f"id-of-{tenant.slug}", "client_secret": "hunter2"}),
            ("secret", "drifted", {"arn": f"arn-of-{tenant.slug}"}),
            ("log_group", "absent", {}),
        ):
            Resource.objects.create(
                tenant=tenant,
                kind=kind,
                name="own",
                state=state,
                spec={"password": "hunter2"},
                fingerprint="f",
                attributes=attributes,
            )


def test_the_ledger_shows_what_is_there_and_no_neighbours(api: Machine, ledger: None) -> None:
    answer = api.get("tenants/acme/resources")
    assert sorted((item["kind"], item["state"]) for item in answer.body["items"]) == [
        ("app_client", "present"),
        ("secret", "drifted"),
    ]
    assert "globex" not in answer.raw.decode()
    assert [item["kind"] for item in api.get("tenants/acme/resources?state=drifted").body["items"]] == ["secret"]


def test_no_secret_comes_out_of_the_ledger(api: Machine, ledger: None) -> None:
    answer = api.get("tenants/acme/resources")
    assert "hunter2" not in answer.raw.decode()
    assert {"client_id": "id-of-acme"} in [item["attributes"] for item in answer.body["items"]]


def test_events_and_operations_are_the_tenants_own(api: Machine, acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        assert api.post(f"tenants/{tenant.slug}:suspend", {"reason": f"about {tenant.slug}"}).status == 202
    events = api.get("tenants/acme/events")
    assert {item["reason"] for item in events.body["items"]} == {"about acme"}
    assert [item["action"] for item in api.get("tenants/acme/events?action=operation.*").body["items"]] == ["operation.started"]
    operations = api.get("tenants/acme/operations").body["items"]
    assert [(item["kind"], item["tenant"]) for item in operations] == [("suspend", acme.pk)]
    for path in ("operations", "resources", "events"):
        assert api.get(f"tenants/hooli/{path}").status == 404


def test_events_have_a_window(api: Machine, acme: Tenant) -> None:
    api.post("tenants/acme:suspend", {"reason": "unpaid"})
    now = timezone.now().isoformat().replace("+00:00", "Z")
    assert len(api.get(f"tenants/acme/events?until={now}").body["items"]) == 2
    assert api.get(f"tenants/acme/events?since={now}").body["items"] == []
    assert api.get("tenants/acme/events?since=yesterday").status == 422


@pytest.mark.parametrize(
    "path", ["tenants", "operations", "tenants/acme/operations", "tenants/acme/resources", "tenants/acme/events", "tiers", "cells"]
)
def test_lists_take_the_same_queries_however_long_they_are(
    api: Machine, make_tenant: Callable[..., Tenant], path: str, django_assert_num_queries: Any, acme: Tenant, globex: Tenant
) -> None:
    api.get("tiers")
    api.post("tenants/acme:suspend", {"reason": "unpaid"})
    with django_assert_num_queries(3 if path.startswith("tenants/") else 2):
        assert api.get(path).status == 200
    for number in range(20):
        tenant = make_tenant(f"filler-{number}x")
        Operation.objects.create(kind="repair", tenant=tenant, state="succeeded", actor="system:t", created_at=timezone.now())
        Operation.objects.create(kind="repair", tenant=acme, state="succeeded", actor="system:t", created_at=timezone.now())
    with django_assert_num_queries(3 if path.startswith("tenants/") else 2):
        assert api.get(path).status == 200
