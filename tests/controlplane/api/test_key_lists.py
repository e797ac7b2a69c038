"""Keys as they are listed, shown and edited, and the policy for leaks: by an operator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.audit.models import AuditEvent
from tenants.keys import evidence
from tenants.keys.models import ApiKey, KeyPolicy, KeyVersion
from tenants.models import Tenant
from tests.controlplane.api.held import Held, add_version, hold
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


def path_of(held: Held) -> str:
    return f"tenants/{held.key.tenant_id}/keys/{held.key.pk}"


def test_a_key_is_shown_without_its_text(api: Machine, acme: Tenant) -> None:
    old = hold(acme, cidrs=["192.0.2.0/24"], metadata={"team": "data"}, rotate_every_days=30)
    retires_at = timezone.now() + timedelta(hours=1)
    KeyVersion.objects.filter(pk=old.version.pk).update(stage="previous", retires_at=retires_at)
    new = add_version(old.key, 2)
    listed, shown = api.get("tenants/acme/keys").body["items"][0], api.get(path_of(old))
    assert {name: value for name, value in shown.body.items() if name in listed} == listed
    assert set(listed) == set(
        "id tenant name prefix environment state scopes cidrs expires_at current previous store_state rotate_every_days "
        "rotate_due_at leaked_at created_by created_at revision".split()
    )
    assert listed["prefix"] == f"cpk_live_{old.key.public_id}_"
    assert (listed["current"]["id"], listed["current"]["number"]) == (new.version.pk, 2)
    assert listed["current"]["last_four"] == new.text[-4:]
    assert listed["previous"]["id"] == old.version.pk
    assert listed["previous"]["retires_at"] == retires_at.isoformat().replace("+00:00", "Z")
    assert (shown.body["metadata"], shown.body["state_reason"]) == ({"team": "data"}, "")
    assert shown.body["secret_name"].endswith(f"/keys/{old.key.pk}")
    answers = shown.raw.decode() + str(listed)
    for held in (old, new):
        assert held.text[-39:-6] not in answers
        assert held.version.digest not in answers


def test_keys_of_all_tenants_are_listed_to_operators(api: Machine, acme: Tenant, globex: Tenant) -> None:
    first, second = hold(acme), hold(globex, environment="test")
    third = hold(acme, state="revoked", ended_at=timezone.now())
    hidden = [hold(acme, state="issuing"), hold(acme, state="abandoned", ended_at=timezone.now())]

    def listed(query: str) -> list[str]:
        answer = api.get(f"keys?ordering=id&{query}")
        assert answer.status == 200, answer.body
        return [item["id"] for item in answer.body["items"]]

    assert listed("") == sorted([first.key.pk, second.key.pk, third.key.pk])
    assert listed("state=revoked") == [third.key.pk]
    assert listed("environment=test") == [second.key.pk]
    assert listed(f"tenant={acme.pk}&state=active") == [first.key.pk]
    assert api.get("keys?state=issuing").status == 422
    assert api.get(f"tenants/acme/keys/{hidden[0].key.pk}").status == 404


def test_pages_follow_each_other(api: Machine, acme: Tenant) -> None:
    made = sorted(hold(acme).key.pk for _ in range(5))  # within one millisecond ids have no order
    first = api.get("tenants/acme/keys?limit=2")
    second = api.get(f"tenants/acme/keys?limit=2&cursor={first.body['next']}")
    third = api.get(f"tenants/acme/keys?limit=2&cursor={second.body['next']}")
    assert [item["id"] for page in (first, second, third) for item in page.body["items"]] == made[::-1]
    assert third.body["next"] is None
    assert api.get(f"keys?limit=2&cursor={first.body['next']}").status == 422


@pytest.mark.parametrize("path", ["tenants/acme/keys", "keys"])
def test_fifty_keys_cost_the_queries_of_five(api: Machine, acme: Tenant, path: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert api.get(f"{path}?limit=200").status == 200
        return len(queries)

    for _ in range(5):
        add_version(hold(acme).key, 2, stage="previous", retires_at=timezone.now() + timedelta(hours=1))
    api.get(path)  # the token's use is noted once a minute
    few = cost()
    for _ in range(45):
        add_version(hold(acme).key, 2, stage="previous", retires_at=timezone.now() + timedelta(hours=1))
    assert cost() == few <= 5


def test_the_lineage_says_what_each_version_is_doing(api: Machine, acme: Tenant, django_assert_max_num_queries: Any) -> None:
    held = hold(acme)
    KeyVersion.objects.filter(pk=held.version.pk).update(stage="retired", retired_at=timezone.now(), retired_because="rotated")
    for number in range(2, 22):
        add_version(held.key, number, stage="retired", retired_at=timezone.now(), retired_because="rotated")
    current = add_version(held.key, 22)
    evidence.note_uses({current.version.pk: 3}, address="192.0.2.7")
    api.get(path_of(held))
    with django_assert_max_num_queries(7):
        answer = api.get(f"{path_of(held)}/versions?limit=200")
    items = answer.body["items"]
    assert [item["number"] for item in items] == list(range(22, 0, -1))
    assert (items[0]["stage"], items[-1]["stage"], items[-1]["retired_because"]) == ("current", "retired", "rotated")
    use = items[0]["use"]
    assert (use["last_used_from"], use["calls_last_hour"], use["calls_last_day"]) == ("192.0.2.7", 3, 3)
    assert items[1]["use"] == {"last_used_at": None, "last_used_from": "", "calls_last_hour": 0, "calls_last_day": 0}
    assert api.get(f"{path_of(held)}/versions?limit=1&ordering=number").body["items"][0]["id"] == held.version.pk


def test_a_key_is_changed_against_the_revision_that_was_read(api: Machine, acme: Tenant) -> None:
    held = hold(acme)
    read = api.get(path_of(held)).headers["ETag"]
    evidence.note_uses({held.version.pk: 1})  # moves the representation, and not the revision
    assert api.get(path_of(held)).headers["ETag"] != read
    first = api.patch(path_of(held), {"name": "renamed", "cidrs": ["192.0.2.1", "2001:DB8::/32"], "reason": "tidy"}, etag=read)
    assert (first.status, first.body["name"], first.body["revision"]) == (200, "renamed", 2)
    assert first.body["cidrs"] == ["192.0.2.1/32", "2001:db8::/32"]
    assert first.headers["ETag"] == api.get(path_of(held)).headers["ETag"]
    stale = api.patch(path_of(held), {"name": "mine"}, etag=read)
    assert (stale.status, kind_of(stale)) == (412, "precondition-failed")
    assert api.patch(path_of(held), {"name": "mine"}, etag="").status == 428
    assert api.patch(path_of(held), {"name": "mine"}, etag=f"W/{first.headers['ETag']}").status == 412
    assert ApiKey.objects.get(pk=held.key.pk).name == "renamed"
    assert AuditEvent.objects.get(action="key.changed").reason == "tidy"
    assert api.patch(path_of(held), {"name": "mine"}, etag="*").body["revision"] == 3


def test_of_two_edits_of_one_revision_the_second_is_refused(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody edits between our look at the revision and the service's lock."""
    from tenants.keys import services

    held, real = hold(acme), services.edit_key

    def after_another(**given: Any) -> ApiKey:
        ApiKey.objects.filter(pk=held.key.pk).update(revision=7)
        return real(**given)

    monkeypatch.setattr(services, "edit_key", after_another)
    answer = api.patch(path_of(held), {"name": "late"})
    assert (answer.status, kind_of(answer)) == (412, "precondition-failed")
    assert ApiKey.objects.get(pk=held.key.pk).name == "ingest"


def test_an_unchanged_key_is_not_sent_again(api: Machine, acme: Tenant) -> None:
    held = hold(acme)
    etag = api.get(path_of(held)).headers["ETag"]
    assert api.get(path_of(held), If_None_Match=etag).status == 304
    evidence.note_uses({held.version.pk: 1})
    assert api.get(path_of(held), If_None_Match=etag).status == 200


def test_a_keys_end_only_comes_nearer(api: Machine, acme: Tenant) -> None:
    held = hold(acme, expires_at=timezone.now() + timedelta(days=10))
    later = (timezone.now() + timedelta(days=11)).isoformat()
    for end in (later, None):
        refused = api.patch(path_of(held), {"expires_at": end})
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/expires_at")
    sooner = (timezone.now() + timedelta(days=1)).isoformat()
    assert api.patch(path_of(held), {"expires_at": sooner}).status == 200


def test_a_key_is_switched_off_and_on(api: Machine, acme: Tenant) -> None:
    held = hold(acme)
    off = api.post(f"{path_of(held)}:disable", {"reason": "looking into it"}, key="off")
    assert (off.status, off.body["state"], off.body["state_reason"]) == (200, "disabled", "looking into it")
    assert api.post(f"{path_of(held)}:disable", {"reason": "looking into it"}, key="off").raw == off.raw
    assert api.post(f"{path_of(held)}:enable", {"reason": "it was nothing"}).body["state"] == "active"
    ApiKey.objects.filter(pk=held.key.pk).update(state="revoked", ended_at=timezone.now())
    refused = api.post(f"{path_of(held)}:enable", {"reason": "bring it back"})
    assert (refused.status, kind_of(refused)) == (409, "illegal-transition")


def test_a_hash_is_imported_once(api: Machine, acme: Tenant, globex: Tenant) -> None:
    body = {"name": "old", "sha256": "ab" * 32, "last_four": "p7dc", "scopes": ["events:write"], "environment": "test"}
    made = api.post("tenants/acme/keys:import", body, key="i")
    assert made.status == 201, made.body
    assert made.headers["Location"] == f"/api/v1/tenants/{acme.pk}/keys/{made.body['id']}"
    assert (made.body["store_state"], made.body["secret_name"], made.body["current"]["last_four"]) == ("empty", None, "p7dc")
    assert api.post("tenants/acme/keys:import", body, key="i").raw == made.raw
    again = api.post("tenants/globex/keys:import", body)
    assert (again.status, again.body["errors"][0]["pointer"]) == (422, "/sha256")
    assert ApiKey.objects.count() == 1
    for wrong in ("ab" * 31, "zz" * 32, "", 7):
        refused = api.post("tenants/acme/keys:import", {**body, "sha256": wrong})
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/sha256")


def test_the_policy_for_leaks_is_changed_against_what_was_read(api: Machine, acme: Tenant) -> None:
    shown = api.get("tenants/acme/key-policy")
    assert (shown.body, KeyPolicy.objects.count()) == ({"leak_action": "revoke", "revision": 1}, 0)
    set_ = api.patch("tenants/acme/key-policy", {"leak_action": "rotate", "reason": "we can"}, etag=shown.headers["ETag"])
    assert (set_.status, set_.body) == (200, {"leak_action": "rotate", "revision": 2})
    stale = api.patch("tenants/acme/key-policy", {"leak_action": "revoke"}, etag=shown.headers["ETag"])
    assert (stale.status, kind_of(stale)) == (412, "precondition-failed")
    assert api.get("tenants/acme/key-policy").headers["ETag"] == set_.headers["ETag"]
    for wrong in ("ignore", None, ["rotate"], {}):
        assert api.patch("tenants/acme/key-policy", {"leak_action": wrong}).body["errors"][0]["pointer"] == "/leak_action"
