"""Issuing through the door: the text once, in no record, and one key for one request, whatever dies in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import serializers
from django.db import connection, transaction
from django.utils import timezone

from controlplane.api import idempotency
from controlplane.api.models import IdempotencyRecord, OperatorToken
from controlplane.api.views import keys as views
from core.audit.models import AuditEvent
from core.outbox.models import OutboxEvent
from tenants.keys import services, store, tending
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.store import KeyStoreError
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.controlplane.api.machine import Answer, Machine
from tests.tenants.keys.world import StoreEyes

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., Machine]
INGEST = {"name": "ingest", "scopes": ["events:write"], "reason": "first light"}


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


def later(seconds: float = 301) -> Any:
    """After a claim has run out."""
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds))


def test_a_key_is_issued_and_its_text_is_shown_once(api: Machine, acme: Tenant, store_eyes: StoreEyes) -> None:
    first = api.post("tenants/acme/keys", INGEST, key="k")
    assert first.status == 201, first.body
    assert first.headers["Cache-Control"] == "no-store"
    where = first.headers["Location"]
    shown = api.get(where)
    assert {**shown.body, "issued": first.body["issued"]} == first.body
    assert shown.headers["ETag"] == first.headers["ETag"]
    text, key = first.body["issued"]["key"], ApiKey.objects.get()
    assert verify(text, scopes=["events:write"]).code is Code.VALID
    assert store_eyes.text(key) == text
    assert first.body["issued"]["secret_name"] == shown.body["secret_name"]
    assert store_eyes.client.describe_secret(SecretId=shown.body["secret_name"])["Name"] == shown.body["secret_name"]
    event = AuditEvent.objects.get(action="key.issued")
    assert api.row is not None
    assert (event.actor_id, event.reason) == (api.row.pk, "first light")

    again = api.post("tenants/acme/keys", INGEST, key="k")
    assert (again.status, again.headers["Idempotent-Replayed"], again.headers["Location"]) == (201, "true", where)
    assert again.headers["Cache-Control"] == "no-store"
    assert again.body["issued"]["key"] is None
    assert shown.body["secret_name"] in again.body["issued"]["note"]
    assert "rotation" in again.body["issued"]["note"]
    assert {**again.body, "issued": None} == {**first.body, "issued": None}
    assert ApiKey.objects.count() == KeyVersion.objects.count() == 1


def test_no_text_is_in_the_database(api: Machine, acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    first = api.post("tenants/acme/keys", INGEST, key="k")
    second = api.post(f"tenants/acme/keys/{first.body['id']}:rotate", {}, key="r")
    api.post("tenants/acme/keys", INGEST, key="k")
    rows = [
        *serializers.serialize("python", [*IdempotencyRecord.objects.all(), *ApiKey.objects.all(), *KeyVersion.objects.all()]),
        *AuditEvent.objects.values(),
        *OutboxEvent.objects.values(),
        *OperatorToken.objects.values(),
    ]
    assert IdempotencyRecord.objects.count() == 2
    for answer in (first, second):
        secret = answer.body["issued"]["key"][-39:]
        assert secret not in str(rows)
        assert secret[:-4] not in str(rows)
        assert secret not in caplog.text


def test_the_act_runs_outside_any_transaction(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[bool] = []
    real_put, real_settle = store.put_pending, store.settle

    def put(*given: Any) -> Any:
        inside.append(transaction.get_connection().in_atomic_block)
        return real_put(*given)

    def settle(*given: Any, **more: Any) -> Any:
        inside.append(transaction.get_connection().in_atomic_block)
        return real_settle(*given, **more)

    monkeypatch.setattr(store, "put_pending", put)
    monkeypatch.setattr(store, "settle", settle)
    made = api.post("tenants/acme/keys", INGEST)
    one = f"tenants/acme/keys/{made.body['id']}"
    assert api.post(f"{one}:rotate", {"overlap_seconds": 600}).status == 201
    assert api.post(f"{one}:retire-previous", {"reason": "nobody uses it"}).body["previous"] is None
    assert api.post(f"{one}:revoke", {"reason": "the end"}).body["state"] == "revoked"
    assert inside == [False] * 6


def test_a_store_that_does_not_answer_is_told_and_not_kept(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Any:
        raise KeyStoreError("The key store did not confirm the key, so none was issued. Try again in a moment.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_pending", away)
        answer = api.post("tenants/acme/keys", INGEST, key="k")
    assert (answer.status, kind_of(answer), answer.headers["Retry-After"]) == (503, "key-store-unavailable", "2")
    assert "none was issued" in answer.body["detail"]
    again = api.post("tenants/acme/keys", INGEST, key="k")
    assert (again.status, again.body["issued"]["key"] is None) == (201, False)
    assert ApiKey.objects.filter(state="active").count() == 1


class Died(BaseException):
    """The process is gone: nothing after this runs, and nothing tidies up."""


def die(*_: Any, **__: Any) -> Any:
    raise Died


def crash(api: Machine, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, path: str, body: Any) -> None:
    """Send a request whose process dies at a call."""
    with monkeypatch.context() as patch:
        patch.setattr(where, name, die)
        patch.setattr(idempotency, "_let_go", lambda claim: None)
        with pytest.raises(Died):
            api.post(path, body, key="k")


def test_a_crash_before_the_answer_was_kept_makes_no_second_key(
    api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch, store_eyes: StoreEyes
) -> None:
    crash(api, monkeypatch, idempotency, "_keep", "tenants/acme/keys", INGEST)
    key = ApiKey.objects.get()
    still = api.post("tenants/acme/keys", INGEST, key="k")
    assert (still.status, kind_of(still)) == (409, "request-still-running")
    with later():
        again = api.post("tenants/acme/keys", INGEST, key="k")
        assert (again.status, again.body["id"], again.body["issued"]["key"]) == (201, key.pk, None)
        assert again.body["secret_name"] in again.body["issued"]["note"]
        assert api.post("tenants/acme/keys", INGEST, key="k").raw == again.raw
    assert ApiKey.objects.count() == 1
    assert store_eyes.faults(key) == []


@pytest.mark.parametrize("name", ["put_pending", "settle"])
def test_a_crash_around_the_store_makes_no_second_key(
    api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch, store_eyes: StoreEyes, name: str
) -> None:
    crash(api, monkeypatch, store, name, "tenants/acme/keys", INGEST)
    with later():
        tending.abandon_unfinished()
        tending.settle_stores()
        again = api.post("tenants/acme/keys", INGEST, key="k")
        assert again.status == 201, again.body
        assert (again.body["issued"]["key"] is None) == (name == "settle")  # before the promotion nobody was given anything
        (key,) = ApiKey.objects.filter(state="active")
        assert store_eyes.faults(key) == []


def test_while_a_dead_maker_holds_the_key_the_answer_is_to_wait(
    api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(api, monkeypatch, store, "put_pending", "tenants/acme/keys", INGEST)
    IdempotencyRecord.objects.update(claimed_until=timezone.now())
    still = api.post("tenants/acme/keys", INGEST, key="k")
    assert (still.status, kind_of(still)) == (409, "request-still-running")
    with later(130):
        tending.abandon_unfinished()
        assert api.post("tenants/acme/keys", INGEST, key="k").status == 201


def test_an_unexpected_failure_after_the_act_makes_no_second_key(
    api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a crash: the process lives, lets go of its claim, and the very next try finds what it did."""

    def fail(_: ApiKey) -> Any:
        raise RuntimeError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr(views, "represent", fail)
        assert api.post("tenants/acme/keys", INGEST, key="k").status == 500
    again = api.post("tenants/acme/keys", INGEST, key="k")
    assert (again.status, again.body["issued"]["key"]) == (201, None)
    assert ApiKey.objects.count() == 1


def test_who_overslept_gives_its_answer_and_does_not_keep_it(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    real = services.issue_key

    def oversleep(**given: Any) -> Any:
        made = real(**given)
        IdempotencyRecord.objects.update(claim=2)  # what a successor does once the claim has run out
        return made

    monkeypatch.setattr(services, "issue_key", oversleep)
    answer = api.post("tenants/acme/keys", INGEST, key="k")
    assert (answer.status, answer.body["issued"]["key"] is None) == (201, False)
    assert IdempotencyRecord.objects.get().state == "running"


def test_another_caller_with_the_same_key_gets_a_key_of_its_own(api: Machine, machine: Make, acme: Tenant) -> None:
    manager = api.post("tenants/acme/keys", {"name": "manager", "scopes": ["keys:write", "events:write"]})
    callers = [api, machine(), Machine(manager.body["issued"]["key"])]
    made = [caller.post("tenants/acme/keys", INGEST, key="k") for caller in callers]
    assert [answer.status for answer in made] == [201, 201, 201]
    assert len({answer.body["id"] for answer in made}) == len({answer.body["issued"]["key"] for answer in made}) == 3
    replays = [caller.post("tenants/acme/keys", INGEST, key="k").body["id"] for caller in callers]
    assert replays == [answer.body["id"] for answer in made]


def test_the_migration_carries_records_over(api: Machine, acme: Tenant) -> None:
    from django.db.migrations.executor import MigrationExecutor

    before, after = [("api", "0001_initial")], [("api", "0002_callers_of_two_kinds")]
    assert api.row is not None
    try:
        executor = MigrationExecutor(connection)
        executor.migrate(before)
        old: Any = executor.loader.project_state(before).apps.get_model("api", "IdempotencyRecord")
        now = timezone.now()
        times = {"claimed_until": now, "created_at": now, "expires_at": now + timedelta(hours=1)}
        old.objects.create(token_id=api.row.pk, key="k", fingerprint="f" * 64, state="answered", status=202, body="{}", **times)
    finally:
        MigrationExecutor(connection).migrate(after)
    kept = IdempotencyRecord.objects.get()
    assert (kept.caller, kept.key, kept.status, json.loads(kept.body)) == (api.row.pk, "k", 202, {})
