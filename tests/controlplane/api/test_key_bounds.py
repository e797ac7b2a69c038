"""A key that manages keys can neither make nor touch one that is stronger than itself. Unkey's keys can; nobody's should."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants.keys import store
from tenants.keys.claims import Hold
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Tenant
from tests.controlplane.api.held import Held, add_version, hold
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db
SCOPES = ["keys:read", "keys:write", "events:write"]
RANGE = ["127.0.0.0/8"]


@pytest.fixture(autouse=True)
def a_store_that_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "put_pending", lambda *_: {})

    def settle(hold: Hold, *_: object, **__: object) -> str:
        ApiKey.objects.filter(pk=hold.key.pk).update(store_state="settled", store_settled_at=timezone.now())
        return "settled"

    monkeypatch.setattr(store, "settle", settle)


@pytest.fixture
def end() -> datetime:
    return timezone.now() + timedelta(days=60)


@pytest.fixture
def manager(acme: Tenant, end: datetime) -> Held:
    """A live key for one range that ends in 60 days; its present version ends in 30."""
    return hold(acme, name="manager", scopes=SCOPES, cidrs=RANGE, expires_at=end, lives=timedelta(days=30))


@pytest.fixture
def caller(manager: Held) -> Machine:
    return Machine(manager.text)


def places(answer: Answer) -> list[tuple[str, str]]:
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (403, "key-too-strong"), answer.body
    return [(error["pointer"], error["code"]) for error in answer.body["errors"]]


def in_days(days: float) -> str:
    return (timezone.now() + timedelta(days=days)).isoformat()


WITHIN: dict[str, Any] = {"name": "weaker", "scopes": ["events:write"], "cidrs": ["127.0.0.1/32"]}


def test_it_makes_a_key_within_its_own_bounds(caller: Machine, manager: Held) -> None:
    answer = caller.post("tenants/acme/keys", {**WITHIN, "expires_at": in_days(20)})
    assert answer.status == 201, answer.body
    assert answer.body["created_by"] == f"key:{manager.key.pk}"


def test_a_key_that_names_no_end_ends_with_the_version_that_made_it(caller: Machine, manager: Held) -> None:
    made = caller.post("tenants/acme/keys", WITHIN)
    assert made.status == 201, made.body
    assert datetime.fromisoformat(made.body["expires_at"]) == manager.version.expires_at
    assert datetime.fromisoformat(made.body["current"]["expires_at"]) <= manager.version.expires_at


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"scopes": ["events:read"]}, "/scopes"),
        ({"scopes": ["events:write", "jobs:write"]}, "/scopes"),
        ({"environment": "test"}, "/environment"),
        ({"cidrs": []}, "/cidrs"),
        ({"cidrs": ["0.0.0.0/0"]}, "/cidrs"),
        ({"cidrs": ["127.0.0.1/32", "192.0.2.1/32"]}, "/cidrs"),
        ({"cidrs": ["::/0"]}, "/cidrs"),
        ({"expires_at": 31}, "/expires_at"),
        ({"expires_at": 59}, "/expires_at"),
    ],
)
def test_it_makes_no_key_that_is_stronger(caller: Machine, more: dict[str, Any], pointer: str) -> None:
    if "expires_at" in more:
        more = {"expires_at": in_days(more["expires_at"])}
    assert places(caller.post("tenants/acme/keys", {**WITHIN, **more})) == [(pointer, "too-strong")]
    assert ApiKey.objects.count() == 1


def test_every_excess_is_named(caller: Machine) -> None:
    asked = {"name": "strong", "environment": "test", "scopes": ["jobs:read"], "cidrs": [], "expires_at": in_days(90)}
    found = places(caller.post("tenants/acme/keys", asked))
    assert {pointer for pointer, _ in found} == {"/environment", "/scopes", "/cidrs", "/expires_at"}


STRONGER: dict[str, dict[str, Any]] = {
    "more scopes": {"scopes": ["events:write", "jobs:write"]},
    "another environment": {"environment": "test"},
    "from anywhere": {"cidrs": []},
    "for ever": {"expires_at": None},
}


@pytest.mark.parametrize("how", STRONGER)
def test_it_touches_no_key_that_is_stronger(caller: Machine, acme: Tenant, end: datetime, how: str) -> None:
    strong = hold(acme, **{"cidrs": RANGE, "expires_at": end, **STRONGER[how]})
    off = hold(acme, **{"cidrs": RANGE, "expires_at": end, **STRONGER[how], "state": "disabled"})
    one, reason = f"tenants/acme/keys/{strong.key.pk}", {"reason": "let me"}
    assert places(caller.post(f"{one}:rotate", {}))
    assert places(caller.post(f"{one}:revoke", reason))
    assert places(caller.post(f"{one}:disable", reason))
    assert places(caller.post(f"{one}:retire-previous", reason))
    assert places(caller.post(f"tenants/acme/keys/{off.key.pk}:enable", reason))
    assert places(caller.patch(one, {"name": "mine"}, etag="*"))
    assert places(caller.patch(one, {"scopes": []}, etag="*"))
    assert sorted(ApiKey.objects.exclude(name="manager").values_list("name", "state")) == [
        ("ingest", "active"),
        ("ingest", "disabled"),
    ]
    assert KeyVersion.objects.count() == 3


def test_it_strengthens_no_key(caller: Machine, manager: Held, acme: Tenant, end: datetime) -> None:
    weak = hold(acme, cidrs=RANGE, expires_at=end)
    for target in (weak, manager):
        one = f"tenants/acme/keys/{target.key.pk}"
        assert places(caller.patch(one, {"scopes": [*SCOPES, "jobs:write"]}, etag="*")) == [("/scopes", "too-strong")]
        assert places(caller.patch(one, {"cidrs": []}, etag="*")) == [("/cidrs", "too-strong")]
        assert places(caller.patch(one, {"expires_at": in_days(61)}, etag="*")) == [("/expires_at", "too-strong")]
        assert ApiKey.objects.get(pk=target.key.pk).revision == 1
    assert caller.patch(f"tenants/acme/keys/{weak.key.pk}", {"cidrs": ["127.0.0.1/32"]}, etag="*").status == 200


def test_its_own_rotation_does_not_outlive_the_version_that_asked(caller: Machine, manager: Held) -> None:
    made = caller.post(f"tenants/acme/keys/{manager.key.pk}:rotate", {"overlap_seconds": 60})
    assert made.status == 201, made.body
    assert datetime.fromisoformat(made.body["current"]["expires_at"]) == manager.version.expires_at
    again = Machine(made.body["issued"]["key"]).post(f"tenants/acme/keys/{manager.key.pk}:rotate", {"end_previous": True})
    assert datetime.fromisoformat(again.body["current"]["expires_at"]) == manager.version.expires_at


def test_a_predecessor_makes_nothing_that_outlives_its_overlap(acme: Tenant, manager: Held) -> None:
    retires_at = timezone.now() + timedelta(hours=1)
    KeyVersion.objects.filter(pk=manager.version.pk).update(stage="previous", retires_at=retires_at)
    add_version(manager.key, 2)
    made = Machine(manager.text).post("tenants/acme/keys", WITHIN)
    assert datetime.fromisoformat(made.body["expires_at"]) == retires_at
    longer = Machine(manager.text).post("tenants/acme/keys", {**WITHIN, "expires_at": in_days(1)})
    assert places(longer) == [("/expires_at", "too-strong")]


def test_it_imports_nothing_and_decides_nothing_about_leaks(caller: Machine, acme: Tenant) -> None:
    imported = {"name": "old", "sha256": "f" * 64, "scopes": ["events:write"]}
    assert caller.post("tenants/acme/keys:import", imported).status == 404
    assert caller.get("tenants/acme/key-policy").status == 404
    assert caller.patch("tenants/acme/key-policy", {"leak_action": "rotate"}, etag="*").status == 404
    assert caller.post("keys:verify", {"key": caller.text}).status == 403
    assert ApiKey.objects.count() == 1


def test_it_may_end_itself(caller: Machine, manager: Held) -> None:
    ended = caller.post(f"tenants/acme/keys/{manager.key.pk}:revoke", {"reason": "moving out"})
    assert (ended.status, ended.body["state"], ended.body["current"]) == (200, "revoked", None)
    assert caller.get("tenants/acme/keys").status == 401
