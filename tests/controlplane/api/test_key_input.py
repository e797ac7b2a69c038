"""Bad input about keys is refused at the field, in words, and changes nothing. ASVS 5.0: 2.2.1."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.audit.models import AuditEvent
from tenants.keys import store
from tenants.keys.models import ApiKey
from tenants.models import Tenant
from tests.controlplane.api.held import hold
from tests.controlplane.api.machine import Machine

pytestmark = pytest.mark.django_db
GOOD: dict[str, Any] = {"name": "ingest", "scopes": ["events:write"]}
PAST = (timezone.now() - timedelta(days=1)).isoformat()
A_KEY = "cpk_live_0000000000000000_000000000000000000000000000000000000000"

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a range that is too long": ({"cidrs": ["10.0.0.0/33"]}, "/cidrs/0"),
    "a range with bits beyond its length": ({"cidrs": ["192.0.2.0/24", "10.0.0.1/8"]}, "/cidrs/1"),
    "no range": ({"cidrs": ["everywhere"]}, "/cidrs/0"),
    "an empty range": ({"cidrs": [""]}, "/cidrs/0"),
    "a range that is a number": ({"cidrs": [10]}, "/cidrs/0"),
    "ranges as one text": ({"cidrs": "10.0.0.0/8"}, "/cidrs"),
    "too many ranges": ({"cidrs": [f"10.0.0.{number}" for number in range(51)]}, "/cidrs"),
    "an end in the past": ({"expires_at": PAST}, "/expires_at"),
    "an end without an offset": ({"expires_at": "2099-01-01T00:00:00"}, "/expires_at"),
    "an end that is a number": ({"expires_at": 4_070_908_800}, "/expires_at"),
    "an end that is no date": ({"expires_at": "2099-02-30T00:00:00Z"}, "/expires_at"),
    "an end beyond time": ({"expires_at": "9999-12-31T23:59:59-14:00"}, "/expires_at"),
    "a day": ({"expires_at": "2099-01-01"}, "/expires_at"),
    "an unknown scope": ({"scopes": ["events:write", "events:delete"]}, "/scopes/1"),
    "a scope of operators": ({"scopes": ["keys:verify"]}, "/scopes/0"),
    "a scope that is no text": ({"scopes": [None]}, "/scopes/0"),
    "scopes as an object": ({"scopes": {"events": "write"}}, "/scopes"),
    "a long name": ({"name": "x" * 10_000}, "/name"),
    "a name of blanks": ({"name": "  "}, "/name"),
    "a control character": ({"name": "in\u0007gest"}, "/name"),
    "a new line": ({"name": "in\ngest"}, "/name"),
    "a null character": ({"name": "in\u0000gest"}, "/name"),
    "a name that is a key": ({"name": A_KEY}, "/name"),
    "a name that is a number": ({"name": 7}, "/name"),
    "metadata as a list": ({"metadata": ["a"]}, "/metadata"),
    "metadata with a list in it": ({"metadata": {"a": ["b"]}}, "/metadata/a"),
    "metadata with a control character": ({"metadata": {"a": "b\u0000"}}, "/metadata/a"),
    "metadata with a secret": ({"metadata": {"password": "hunter2"}}, "/metadata"),
    "metadata with a key": ({"metadata": {"note": A_KEY}}, "/metadata"),
    "too much metadata": ({"metadata": {"a": "b" * 150, **{str(n): "c" * 150 for n in range(31)}}}, "/metadata"),
    "no days": ({"rotate_every_days": 0}, "/rotate_every_days"),
    "too many days": ({"rotate_every_days": 3_651}, "/rotate_every_days"),
    "half a day": ({"rotate_every_days": 0.5}, "/rotate_every_days"),
    "days that are true": ({"rotate_every_days": True}, "/rotate_every_days"),
    "an unknown field": ({"secret": "x"}, "/secret"),
    "a field of the row": ({"state": "active"}, "/state"),
    "another tenant": ({"tenant_id": "tnt_1"}, "/tenant_id"),
    "our own argument": ({"within": None}, "/within"),
}
OF_A_NEW_ONE: dict[str, tuple[dict[str, Any], str]] = {
    "no environment": ({"environment": "staging"}, "/environment"),
    "an environment that is a list": ({"environment": ["live"]}, "/environment"),
    "an environment that is null": ({"environment": None}, "/environment"),
    "our own reference": ({"reference": "mine"}, "/reference"),
}


@pytest.fixture(autouse=True)
def nothing_goes_to_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a bad request reached the store")

    monkeypatch.setattr(store, "put_pending", refuse)
    monkeypatch.setattr(store, "settle", refuse)


@pytest.mark.parametrize("how", {**WRONG, **OF_A_NEW_ONE})
def test_nothing_strange_is_issued(api: Machine, acme: Tenant, how: str) -> None:
    body, pointer = {**WRONG, **OF_A_NEW_ONE}[how]
    answer = api.post("tenants/acme/keys", {**GOOD, **body})
    assert answer.status == 422, answer.body
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]
    assert all(len(error["detail"]) < 300 for error in answer.body["errors"])
    assert not ApiKey.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="key.").exists()


@pytest.mark.parametrize("how", WRONG)
def test_nothing_strange_is_written_into_a_key(api: Machine, acme: Tenant, how: str) -> None:
    body, pointer = WRONG[how]
    held = hold(acme)
    before = ApiKey.objects.filter(pk=held.key.pk).values().get()
    answer = api.patch(f"tenants/acme/keys/{held.key.pk}", body)
    assert answer.status == 422, answer.body
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]
    assert ApiKey.objects.filter(pk=held.key.pk).values().get() == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"overlap_seconds": -1}, "/overlap_seconds"),
        ({"overlap_seconds": "60"}, "/overlap_seconds"),
        ({"overlap_seconds": 2**31}, "/overlap_seconds"),
        ({"overlap_seconds": 1.5}, "/overlap_seconds"),
        ({"overlap_seconds": None}, "/overlap_seconds"),
        ({"retire_when_quiet": "yes"}, "/retire_when_quiet"),
        ({"end_previous": 1}, "/end_previous"),
        ({"reason": "x" * 501}, "/reason"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
def test_no_strange_rotation_begins(api: Machine, acme: Tenant, body: dict[str, Any], pointer: str) -> None:
    held = hold(acme)
    answer = api.post(f"tenants/acme/keys/{held.key.pk}:rotate", body)
    assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, [pointer])
    assert held.key.versions.count() == 1


@pytest.mark.parametrize("name", ["", "key_1", "key_00000000000000000000000000", "..", "key_0000000000000000000000000%0a"])
def test_a_key_that_does_not_exist(api: Machine, acme: Tenant, name: str) -> None:
    assert api.get(f"tenants/acme/keys/{name}").status == 404


def test_a_key_is_found_below_its_own_tenant_only(api: Machine, acme: Tenant, globex: Tenant) -> None:
    held = hold(globex)
    assert api.get(f"tenants/globex/keys/{held.key.pk}").status == 200
    for answer in (
        api.get(f"tenants/acme/keys/{held.key.pk}"),
        api.get(f"tenants/acme/keys/{held.key.pk}/versions"),
        api.patch(f"tenants/acme/keys/{held.key.pk}", {"name": "mine"}, etag="*"),
        *(
            api.post(f"tenants/acme/keys/{held.key.pk}:{act}", {"reason": "not mine"})
            for act in ("rotate", "revoke", "disable", "enable", "retire-previous")
        ),
    ):
        assert (answer.status, answer.body["type"].rpartition("#")[2]) == (404, "not-found")
    assert ApiKey.objects.get(pk=held.key.pk).state == "active"


def test_no_key_is_issued_to_a_tenant_that_is_not_active(api: Machine, initech: Tenant) -> None:
    answer = api.post("tenants/initech/keys", GOOD)
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (409, "tenant-not-active")


def test_a_huge_body_is_not_read(api: Machine, acme: Tenant) -> None:
    answer = api.post("tenants/acme/keys", {**GOOD, "metadata": {"a": "b" * 70_000}})
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (413, "body-too-large")


def test_a_number_that_is_too_large_for_json(api: Machine, acme: Tenant) -> None:
    raw = b'{"name": "ingest", "metadata": {"size": 1e400}}'
    answer = api.ask("POST", "tenants/acme/keys", raw=raw, Idempotency_Key="k")
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/metadata/size")


def test_an_act_needs_its_idempotency_key(api: Machine, acme: Tenant) -> None:
    held = hold(acme)
    assert api.post("tenants/acme/keys", GOOD, key="").status == 400
    assert api.post(f"tenants/acme/keys/{held.key.pk}:rotate", {}, key="").status == 400
    assert ApiKey.objects.count() == 1
