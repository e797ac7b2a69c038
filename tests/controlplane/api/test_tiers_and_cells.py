"""Tiers are edited against the version that was read; cells say what is left of them."""

from __future__ import annotations

from typing import Any

import pytest

from core.audit.models import AuditEvent
from core.outbox.models import OutboxEvent
from tenants.models import Cell, Tenant, Tier
from tests.controlplane.api.machine import Machine

pytestmark = pytest.mark.django_db
GOLD = {"code": "gold", "name": "Gold", "isolation_model": "bridge"}


def test_tiers_are_listed_by_code(api: Machine, tiers: Any) -> None:
    answer = api.get("tiers")
    assert [item["code"] for item in answer.body["items"]] == ["basic", "premium", "sovereign", "standard"]
    assert answer.body["next"] is None


def test_a_tier_is_added(api: Machine) -> None:
    asked = {"rate_per_second": 99, "sso_allowed": True, "key_overlap_seconds": 600, "key_quiet_seconds": 120}
    answer = api.post("tiers", {**GOLD, **asked, "reason": "spring offer"})
    assert (answer.status, answer.headers["Location"]) == (201, "/api/v1/tiers/gold")
    shown = api.get("tiers/gold")
    assert shown.body == answer.body
    assert shown.headers["ETag"] == answer.headers["ETag"]
    assert {name: shown.body[name] for name in asked} == asked
    assert shown.body["burst"] == 20
    event = AuditEvent.objects.get(action="tier.created")
    assert api.row is not None
    assert (event.actor_id, event.reason) == (api.row.pk, "spring offer")


def test_null_does_not_limit(api: Machine, tiers: Any) -> None:
    read = api.get("tiers/basic").headers["ETag"]
    answer = api.patch("tiers/basic", {"quota_per_month": None, "concurrency": None, "fail_policy": "closed"}, etag=read)
    assert (answer.status, answer.body["quota_per_month"], answer.body["concurrency"]) == (200, None, None)
    tier = Tier.objects.get(pk="basic")
    assert (tier.quota_per_month, tier.concurrency, tier.fail_policy) == (None, None, "closed")
    assert OutboxEvent.objects.get(type="tier.changed").data["fields"] == ["concurrency", "fail_policy", "quota_per_month"]


def test_a_tier_is_changed_against_the_version_that_was_read(api: Machine, tiers: Any) -> None:
    read = api.get("tiers/basic").headers["ETag"]
    first = api.patch("tiers/basic", {"rate_per_second": 11}, etag=read)
    assert (first.status, first.body["rate_per_second"]) == (200, 11)
    second = api.patch("tiers/basic", {"rate_per_second": 12}, etag=read)
    assert (second.status, second.body["type"].rpartition("#")[2]) == (412, "precondition-failed")
    assert api.patch("tiers/basic", {"rate_per_second": 12}, etag=first.headers["ETag"]).status == 200
    assert api.patch("tiers/basic", {"rate_per_second": 13}, etag="").status == 428
    assert Tier.objects.get(pk="basic").rate_per_second == 12


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rate_per_second": 0}, "/rate_per_second"),
        ({"rate_per_second": -5}, "/rate_per_second"),
        ({"rate_per_second": "10"}, "/rate_per_second"),
        ({"rate_per_second": 10.5}, "/rate_per_second"),
        ({"rate_per_second": 10.0}, "/rate_per_second"),
        ({"rate_per_second": True}, "/rate_per_second"),
        ({"rate_per_second": 2**31}, "/rate_per_second"),
        ({"quota_per_day": 2**63}, "/quota_per_day"),
        ({"weight": 40_000}, "/weight"),
        ({"quota_per_month": -1}, "/quota_per_month"),
        ({"concurrency": 2**31}, "/concurrency"),
        ({"fail_policy": "ajar"}, "/fail_policy"),
        ({"fail_policy": None}, "/fail_policy"),
        ({"rate_per_second": 1, "burst": 86_401}, "/burst"),
        ({"key_quiet_seconds": -1}, "/key_quiet_seconds"),
        ({"key_quiet_seconds": "3600"}, "/key_quiet_seconds"),
        ({"sso_allowed": "true"}, "/sso_allowed"),
        ({"sso_allowed": 1}, "/sso_allowed"),
        ({"sso_allowed": None}, "/sso_allowed"),
        ({"isolation_model": "cloud"}, "/isolation_model"),
        ({"isolation_model": ["pool"]}, "/isolation_model"),
        ({"isolation_model": {}}, "/isolation_model"),
        ({"isolation_model": "silo"}, "/isolation_model"),
        ({"name": ""}, "/name"),
        ({"code": "other"}, "/code"),
        ({"retired_at": None}, "/retired_at"),
    ],
)
def test_a_wrong_value_is_named(api: Machine, acme: Tenant, body: dict[str, Any], pointer: str) -> None:
    answer = api.patch("tiers/basic", body, etag="*")
    assert answer.status == 422
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]


@pytest.mark.parametrize("code", ["", "Gold", "g o", "g/..", "-gold", "x" * 33, "go\nld", 7, None, ["gold"], {}])
def test_a_wrong_code_is_refused(api: Machine, code: Any) -> None:
    answer = api.post("tiers", {**GOLD, "code": code})
    assert answer.status == 422
    assert {error["pointer"] for error in answer.body["errors"]} == {"/code"}
    assert not Tier.objects.exists()


def test_a_code_is_given_once(api: Machine) -> None:
    assert api.post("tiers", GOLD).status == 201
    answer = api.post("tiers", GOLD)
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (409, "conflict")


def test_a_retired_tier_keeps_its_tenants_and_takes_none(api: Machine, acme: Tenant, globex: Tenant) -> None:
    assert api.post("tiers/premium:retire", {}).status == 422
    answer = api.post("tiers/premium:retire", {"reason": "no longer sold"})
    assert (answer.status, bool(answer.body["retired_at"])) == (200, True)
    assert api.get("tenants/globex").body["tier"] == "premium"
    refused = api.post("tenants/acme:change-tier", {"reason": "grown", "tier": "premium"})
    assert [error["code"] for error in refused.body["errors"]] == ["retired"]


def test_a_cell_shows_its_quotas_and_what_is_used(api: Machine, cell: Cell, globex: Tenant) -> None:
    quotas = {item["name"]: item for item in api.get("cells/dev-1").body["quotas"]}
    assert set(quotas) == {"user_pools", "roles"}
    assert (quotas["user_pools"]["used"], quotas["user_pools"]["limit"]) == (1, 1000)


def test_cells_are_listed_without_counting(api: Machine, cell: Cell, django_assert_num_queries: Any) -> None:
    api.get("tiers")
    with django_assert_num_queries(2):
        assert [item["code"] for item in api.get("cells?state=ready").body["items"]] == ["dev-1"]
    assert api.get("cells?state=draining").body["items"] == []
    assert api.get("cells/dev-9").status == 404


def test_a_cells_role_is_nobodys_business(api: Machine, cell: Cell) -> None:
    Cell.objects.update(role_arn="arn:aws:iam::000000000000:role/provisioner")
    assert "provisioner" not in (api.get("cells").raw + api.get("cells/dev-1").raw).decode()
