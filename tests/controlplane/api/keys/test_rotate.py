"""Rotating and ending through the door: refusals with their reasons, and no second rotation for one request."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from controlplane.api import idempotency
from tenants.keys import promotion, store, tending
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.store import KeyStoreError
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.controlplane.api.keys.test_issue import INGEST, crash, kind_of, later
from tests.controlplane.api.machine import Answer, Machine
from tests.tenants.keys.world import StoreEyes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def first(api: Machine, acme: Tenant) -> Answer:
    return api.post("tenants/acme/keys", INGEST)


@pytest.fixture
def one(first: Answer) -> str:
    return f"tenants/acme/keys/{first.body['id']}"


def codes(*answers: Answer) -> list[Code]:
    return [verify(answer.body["issued"]["key"]).code for answer in answers]


def test_a_rotation_overlaps_and_is_replayed_without_its_text(api: Machine, first: Answer, one: str, store_eyes: StoreEyes) -> None:
    body = {"overlap_seconds": 600, "retire_when_quiet": True, "reason": "every month"}
    second = api.post(f"{one}:rotate", body, key="r")
    assert second.status == 201, second.body
    assert second.headers["Location"] == first.headers["Location"]
    assert codes(first, second) == [Code.VALID, Code.VALID]
    previous = second.body["previous"]
    assert (previous["id"], previous["retire_when_quiet"]) == (first.body["issued"]["version"], True)
    assert datetime.fromisoformat(previous["retires_at"]) <= timezone.now() + timedelta(seconds=600)
    again = api.post(f"{one}:rotate", body, key="r")
    assert (again.status, again.headers["Idempotent-Replayed"], again.body["issued"]["key"]) == (201, "true", None)
    assert again.body["issued"]["version"] == second.body["issued"]["version"]
    assert KeyVersion.objects.count() == 2
    assert store_eyes.faults(ApiKey.objects.get()) == []


def test_an_open_rotation_is_refused_until_its_predecessor_may_go(api: Machine, first: Answer, one: str) -> None:
    second = api.post(f"{one}:rotate", {"overlap_seconds": 600})
    refused = api.post(f"{one}:rotate", {}, key="r")
    assert (refused.status, kind_of(refused)) == (409, "rotation-open")
    assert api.post(f"{one}:rotate", {}, key="r").raw == refused.raw
    third = api.post(f"{one}:rotate", {"end_previous": True, "overlap_seconds": 0})
    assert codes(first, second, third) == [Code.EXPIRED, Code.EXPIRED, Code.VALID]


@pytest.mark.parametrize("act", ["disable", "revoke"])
def test_a_key_that_is_over_or_off_is_not_rotated(api: Machine, one: str, act: str) -> None:
    assert api.post(f"{one}:{act}", {"reason": "no longer"}).status == 200
    refused = api.post(f"{one}:rotate", {})
    assert (refused.status, kind_of(refused)) == (409, "key-not-rotatable")


def test_retiring_the_predecessor_ends_the_overlap(api: Machine, first: Answer, one: str) -> None:
    second = api.post(f"{one}:rotate", {})
    retired = api.post(f"{one}:retire-previous", {"reason": "nobody uses it"}, key="q")
    assert (retired.status, retired.body["previous"]) == (200, None)
    assert codes(first, second) == [Code.EXPIRED, Code.VALID]
    assert api.post(f"{one}:retire-previous", {"reason": "nobody uses it"}, key="q").raw == retired.raw
    assert api.post(f"{one}:retire-previous", {"reason": "nobody uses it"}).status == 409


@pytest.mark.parametrize("how", [{"overlap_seconds": 600}, {"overlap_seconds": 0}, {"end_previous": True}])
@pytest.mark.parametrize("place", [(idempotency, "_keep"), (store, "settle")], ids=["before the record", "before the stages"])
def test_a_crash_after_the_promotion_is_no_second_rotation(
    api: Machine, first: Answer, one: str, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], place: tuple[Any, str]
) -> None:
    """With no overlap, or one that may be cut short, nothing else would stop the second try from rotating again."""
    crash(api, monkeypatch, *place, f"{one}:rotate", how)
    assert api.post(f"{one}:rotate", how, key="k").status == 409
    with later():
        tending.settle_stores()
        again = api.post(f"{one}:rotate", how, key="k")
        assert (again.status, kind_of(again)) == (409, "rotated-meanwhile")
        assert "fresh idempotency key" in again.body["detail"]
        assert api.post(f"{one}:rotate", how, key="k").raw == again.raw
        assert KeyVersion.objects.filter(promoted_at__isnull=False).count() == 2
        assert api.post(f"{one}:rotate", {**how, "end_previous": True}).status == 201


def test_a_crash_before_the_promotion_is_tried_again(
    api: Machine, first: Answer, one: str, monkeypatch: pytest.MonkeyPatch, store_eyes: StoreEyes
) -> None:
    crash(api, monkeypatch, promotion, "promote", f"{one}:rotate", {})
    with later():
        again = api.post(f"{one}:rotate", {}, key="k")
        assert again.status == 201, again.body
        assert codes(first, again) == [Code.VALID, Code.VALID]
        assert store_eyes.faults(ApiKey.objects.get()) == []


def test_a_store_that_does_not_answer_leaves_the_key_as_it_was(
    api: Machine, first: Answer, one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise KeyStoreError()

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_pending", away)
        answer = api.post(f"{one}:rotate", {}, key="k")
    assert (answer.status, kind_of(answer)) == (503, "key-store-unavailable")
    again = api.post(f"{one}:rotate", {}, key="k")
    assert (again.status, codes(first, again)) == (201, [Code.VALID, Code.VALID])


def test_a_crash_in_a_revocation_leaves_it_to_be_repeated(
    api: Machine, first: Answer, one: str, monkeypatch: pytest.MonkeyPatch, store_eyes: StoreEyes
) -> None:
    reason = {"reason": "it leaked"}
    crash(api, monkeypatch, store, "settle", f"{one}:revoke", reason)
    assert codes(first) == [Code.NOT_FOUND]
    with later():
        again = api.post(f"{one}:revoke", reason, key="k")
        assert (again.status, again.body["state"]) == (200, "revoked")
        tending.settle_stores()
    assert store_eyes.stages(ApiKey.objects.get()) == {}


def test_a_tenants_own_key_does_all_this_for_itself(api: Machine, acme: Tenant, store_eyes: StoreEyes) -> None:
    """Self-service: a key that manages keys issues one, rotates itself and goes on with its successor."""
    made = api.post("tenants/acme/keys", {"name": "manager", "scopes": ["keys:read", "keys:write", "events:write"]})
    me = Machine(made.body["issued"]["key"])
    assert me.post("tenants/acme/keys", INGEST).status == 201
    second = me.post(f"tenants/acme/keys/{made.body['id']}:rotate", {"overlap_seconds": 600})
    assert second.status == 201, second.body
    successor = Machine(second.body["issued"]["key"])
    assert [len(caller.get("tenants/acme/keys").body["items"]) for caller in (me, successor)] == [2, 2]
    assert successor.post(f"tenants/acme/keys/{made.body['id']}:retire-previous", {"reason": "I have moved"}).status == 200
    assert (me.get("tenants/acme/keys").status, successor.get("tenants/acme/keys").status) == (401, 200)
    assert store_eyes.faults(ApiKey.objects.get(name="manager")) == []
