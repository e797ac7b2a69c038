"""Limits over the API: what holds and why, overrides set and ended against what was seen, and keys' own limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from core.audit.models import AuditEvent
from tenants.limits.models import KeyLimit, LimitOverride
from tenants.models import Tenant
from tests.controlplane.api.held import hold
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db

LIMITS, OVERRIDES = "tenants/acme/limits", "tenants/acme/limits/overrides"
LAUNCH = {"limited": "rate_per_second", "value": 50, "reason": "launch day"}


def kind(answer: Answer) -> str:
    return str(answer.body["type"].rpartition("#")[2])


def holds(api: Machine, path: str = LIMITS) -> dict[str, tuple[int | None, int | None]]:
    """What holds, and what the tier says."""
    return {line["limited"]: (line["value"], line["of_tier"]) for line in api.get(path).body["limits"]}


def test_a_tenants_limits_say_where_each_comes_from(api: Machine, acme: Tenant, globex: Tenant) -> None:
    made = api.post(OVERRIDES, LAUNCH)
    assert (made.status, made.headers["Location"]) == (201, f"/api/v1/tenants/{acme.pk}/limits/overrides/{made.body['id']}")
    assert api.get(made.headers["Location"]).headers["ETag"] == made.headers["ETag"]
    told = api.get(LIMITS)
    assert (told.body["tenant"], told.body["tier"], told.body["fail_policy"]) == (acme.pk, "basic", acme.tier.fail_policy)
    lines = {line["limited"]: line for line in told.body["limits"]}
    assert set(lines) == {"rate_per_second", "burst", "quota_per_day", "quota_per_month", "concurrency", "weight"}
    assert lines["rate_per_second"]["override"] == made.body
    assert holds(api)["rate_per_second"] == (50, acme.tier.rate_per_second)
    assert lines["burst"]["override"] is None
    assert holds(api, "tenants/globex/limits")["rate_per_second"] == (globex.tier.rate_per_second,) * 2
    assert api.get(LIMITS, If_None_Match=told.headers["ETag"]).status == 304
    assert api.row is not None
    event = AuditEvent.objects.get(action="limit.overridden")
    assert (event.actor_id, event.reason, event.target) == (api.row.pk, "launch day", made.body["id"])


def test_at_its_end_the_tiers_number_holds_again(api: Machine, acme: Tenant) -> None:
    ends = timezone.now() + timedelta(hours=1)
    made = api.post(OVERRIDES, {**LAUNCH, "expires_at": ends.isoformat()})
    assert made.body["state"] == "open"
    with time_machine.travel(ends):  # before the clock has closed the row
        assert holds(api)["rate_per_second"] == (acme.tier.rate_per_second,) * 2
        assert api.get(f"{OVERRIDES}/{made.body['id']}").body["state"] == "expired"
        assert api.get(f"{OVERRIDES}?state=open").body["items"] == []
        assert [item["id"] for item in api.get(f"{OVERRIDES}?state=expired").body["items"]] == [made.body["id"]]


def test_who_comes_second_learns_it(api: Machine, acme: Tenant) -> None:
    first = api.post(OVERRIDES, {**LAUNCH, "replaces": ""})
    assert first.status == 201
    late = api.post(OVERRIDES, {**LAUNCH, "value": 60, "replaces": ""})
    assert (late.status, kind(late)) == (409, "stale-limit")
    second = api.post(OVERRIDES, {**LAUNCH, "value": 60, "replaces": first.body["id"]})
    assert second.status == 201
    assert api.post(OVERRIDES, {**LAUNCH, "value": 70}).status == 201
    states = [(item["value"], item["state"]) for item in api.get(OVERRIDES).body["items"]]
    assert states == [(70, "open"), (60, "replaced"), (50, "replaced")]


def test_an_override_is_ended_once(api: Machine, acme: Tenant) -> None:
    made = api.post(OVERRIDES, LAUNCH).body["id"]
    assert api.post(f"{OVERRIDES}/{made}:revoke", {}).status == 422
    ended = api.post(f"{OVERRIDES}/{made}:revoke", {"reason": "the launch is over"})
    assert (ended.status, ended.body["state"], ended.body["ended_reason"]) == (200, "revoked", "the launch is over")
    assert holds(api)["rate_per_second"] == (acme.tier.rate_per_second,) * 2
    again = api.post(f"{OVERRIDES}/{made}:revoke", {"reason": "the launch is over"})
    assert (again.status, kind(again)) == (409, "stale-limit")


def test_sent_again_it_is_set_once(api: Machine, acme: Tenant) -> None:
    first, second = (api.post(OVERRIDES, LAUNCH, key="launch") for _ in range(2))
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.body == first.body
    assert LimitOverride.objects.count() == 1


def test_another_tenants_override_is_not_there(api: Machine, acme: Tenant, globex: Tenant) -> None:
    made = api.post(OVERRIDES, LAUNCH).body["id"]
    elsewhere = f"tenants/globex/limits/overrides/{made}"
    assert api.get(elsewhere).status == 404
    assert api.post(f"{elsewhere}:revoke", {"reason": "by mistake"}).status == 404
    assert api.get("tenants/globex/limits/overrides").body["items"] == []
    assert LimitOverride.objects.get().state == "open"


def test_a_closed_tenant_has_no_limits_to_change(api: Machine, acme: Tenant) -> None:
    Tenant.objects.filter(pk=acme.pk).update(state="closed")
    refused = api.post(OVERRIDES, LAUNCH)
    assert (refused.status, kind(refused)) == (409, "tenant-closed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limited": "speed"}, "/limited"),
        ({"limited": None}, "/limited"),
        ({"value": "50"}, "/value"),
        ({"value": 0}, "/value"),
        ({"value": -1}, "/value"),
        ({"value": 2**31}, "/value"),
        ({"value": True}, "/value"),
        ({"value": 5.0}, "/value"),
        ({"reason": ""}, "/reason"),
        ({"reason": "no"}, "/reason"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": 3600}, "/expires_at"),
        ({"until": None}, "/until"),
    ],
)
def test_a_wrong_value_is_named(api: Machine, acme: Tenant, body: dict[str, Any], pointer: str) -> None:
    answer = api.post(OVERRIDES, {**LAUNCH, **body})
    assert answer.status == 422
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]
    assert not LimitOverride.objects.exists()


def test_a_list_costs_the_same_however_long(api: Machine, acme: Tenant, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    api.post(OVERRIDES, LAUNCH)
    api.get(OVERRIDES)
    with CaptureQueriesContext(connection) as few:
        api.get(OVERRIDES)
    queries = len(few)
    for value in range(60, 70):
        api.post(OVERRIDES, {**LAUNCH, "value": value})
    with django_assert_num_queries(queries):
        assert len(api.get(OVERRIDES).body["items"]) == 11


class TestOfAKey:
    """A key's own limits."""

    def test_they_are_changed_against_what_was_read(self, api: Machine, acme: Tenant) -> None:
        key = hold(acme).key
        path = f"tenants/acme/keys/{key.pk}/limits"
        read = api.get(path)
        assert (read.body["revision"], read.body["rate_per_second"], read.body["set_at"]) == (0, None, None)
        first = api.patch(path, {"rate_per_second": 5, "reason": "a test rig"}, etag=read.headers["ETag"])
        assert (first.status, first.body["rate_per_second"], first.body["burst"], first.body["revision"]) == (200, 5, 5, 1)
        late = api.patch(path, {"rate_per_second": 6, "reason": "a test rig"}, etag=read.headers["ETag"])
        assert (late.status, kind(late)) == (412, "precondition-failed")
        assert api.patch(path, {"concurrency": 2, "reason": "a test rig"}, etag="").status == 428
        second = api.patch(path, {"concurrency": 2, "reason": "a test rig"}, etag=first.headers["ETag"])
        assert (second.body["rate_per_second"], second.body["concurrency"]) == (5, 2)
        third = api.patch(path, {"rate_per_second": None, "reason": "it grew up"}, etag="*")
        assert (third.body["rate_per_second"], third.body["burst"], third.body["concurrency"]) == (None, None, 2)
        reasons = AuditEvent.objects.filter(action="key.limited").order_by("position").values_list("reason", flat=True)
        assert list(reasons) == ["a test rig", "a test rig", "it grew up"]

    def test_a_change_that_came_between_is_not_written_over(
        self, api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Any version will do, but what was left out was read from one that is no longer there."""
        from tenants.limits import services
        from tests.cast import OPERATOR

        key = hold(acme).key
        path = f"tenants/acme/keys/{key.pk}/limits"
        real = services.set_key_limit

        def first(**asked: Any) -> KeyLimit:
            monkeypatch.setattr(services, "set_key_limit", real)
            real(actor=OPERATOR, tenant_id=acme.pk, key_id=key.pk, reason="somebody else", quota_per_day=7)
            return real(**asked)

        monkeypatch.setattr(services, "set_key_limit", first)
        answer = api.patch(path, {"concurrency": 2, "reason": "a test rig"}, etag="*")
        assert (answer.status, kind(answer)) == (409, "stale-limit")
        assert api.get(path).body["quota_per_day"] == 7

    def test_a_key_cannot_see_or_change_its_own(self, acme: Tenant) -> None:
        held = hold(acme, scopes=["keys:read", "keys:write"])
        path = f"tenants/acme/keys/{held.key.pk}/limits"
        own = Machine(held.text)
        assert own.get(f"tenants/acme/keys/{held.key.pk}").status == 200
        assert own.get(path).status == 404
        assert own.patch(path, {"rate_per_second": 1_000, "reason": "more"}, etag="*").status == 404
        assert not KeyLimit.objects.exists()

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({"burst": 5}, ["/burst"]),
            ({"rate_per_second": 1, "burst": 86_401}, ["/burst"]),
            ({"rate_per_second": 0, "concurrency": "1"}, ["/concurrency", "/rate_per_second"]),
            ({"weight": 3}, ["/weight"]),
        ],
    )
    def test_a_wrong_value_is_named(self, api: Machine, acme: Tenant, body: dict[str, Any], pointers: list[str]) -> None:
        path = f"tenants/acme/keys/{hold(acme).key.pk}/limits"
        answer = api.patch(path, {**body, "reason": "a test rig"}, etag="*")
        assert answer.status == 422
        assert sorted(error["pointer"] for error in answer.body["errors"]) == pointers
