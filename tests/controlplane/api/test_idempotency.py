"""One key, one act, one answer. ASVS 5.0: 2.3.4 (locking)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from controlplane.api import idempotency
from controlplane.api.models import IdempotencyRecord
from controlplane.api.tasks import purge_answers
from controlplane.api.views import tenants
from core.errors import DomainError
from provisioning.models import Operation, OperationKind
from tenants.models import Tenant
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db
Make = Callable[..., Machine]

HOOLI = {"slug": "hooli", "name": "Hooli", "tier": "basic", "admin_email": "gavin@hooli.example"}


@pytest.fixture(autouse=True)
def somewhere_to_live(cell: Any, tiers: Any) -> None:
    """Tiers and a cell that is ready."""


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


def test_the_same_request_gets_the_first_answer_and_nothing_is_done_twice(api: Machine) -> None:
    first = api.post("tenants", HOOLI, key="crm-4711")
    again = api.post("tenants", HOOLI, key="crm-4711")
    assert first.status == again.status == 202
    assert first.raw == again.raw
    assert first.headers["Location"] == again.headers["Location"] == f"/api/v1/operations/{first.body['id']}"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["X-Request-Id"] != again.headers["X-Request-Id"]
    assert Tenant.objects.filter(slug="hooli").count() == 1
    assert Operation.objects.count() == 1


def test_blanks_and_order_do_not_make_another_request(api: Machine) -> None:
    first = api.post("tenants", HOOLI, key="k")
    assert api.post("tenants", dict(reversed(HOOLI.items())), key="k").raw == first.raw


@pytest.mark.parametrize(
    ("path", "body"),
    [("tenants", {**HOOLI, "name": "Hooli XYZ"}), ("tenants/hooli:suspend", {"reason": "unpaid"}), ("tiers", HOOLI)],
)
def test_another_request_under_the_key_is_refused_and_does_nothing(api: Machine, path: str, body: dict[str, Any]) -> None:
    api.post("tenants", HOOLI, key="k")
    if path == "tiers":
        body = {"code": "gold", "name": "Gold", "isolation_model": "pool"}
    answer = api.post(path, body, key="k")
    assert (answer.status, kind_of(answer)) == (422, "idempotency-key-reused")
    assert Operation.objects.count() == 1


def test_keys_belong_to_their_token(api: Machine, machine: Make) -> None:
    first = api.post("tenants", HOOLI, key="k")
    other = machine().post("tenants", {**HOOLI, "slug": "pied-piper"}, key="k")
    assert first.status == other.status == 202
    assert first.body["tenant"] != other.body["tenant"]


@pytest.mark.parametrize("key", ["", "two words", "a" * 256, "caf\xe9"])
def test_a_key_is_needed_and_has_a_shape(api: Machine, key: str) -> None:
    headers = {"Idempotency_Key": key} if key else {}
    answer = api.ask("POST", "tenants", HOOLI, **headers)
    assert (answer.status, kind_of(answer)) == (400, "idempotency-key-required")
    assert not Tenant.objects.exists()
    assert not IdempotencyRecord.objects.exists()


def test_a_refusal_of_the_service_is_kept(api: Machine) -> None:
    first = api.post("tenants/nobody:suspend", {"reason": "unpaid"}, key="k")
    assert (first.status, kind_of(first)) == (404, "not-found")
    again = api.post("tenants/nobody:suspend", {"reason": "unpaid"}, key="k")
    assert again.raw == first.raw
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_refusal_is_kept_even_when_the_cause_is_gone(api: Machine, initech: Tenant) -> None:
    first = api.post(f"tenants/{initech.pk}:suspend", {"reason": "unpaid"}, key="k")
    assert (first.status, kind_of(first)) == (409, "illegal-transition")
    Tenant.objects.filter(pk=initech.pk).update(state="active")
    assert api.post(f"tenants/{initech.pk}:suspend", {"reason": "unpaid"}, key="k").raw == first.raw
    assert api.post(f"tenants/{initech.pk}:suspend", {"reason": "unpaid"}).status == 202


def test_what_never_reached_the_service_is_not_kept(api: Machine, machine: Make) -> None:
    assert api.post("tenants", {**HOOLI, "tier": 5}, key="k").status == 422
    assert api.ask("POST", "tenants", raw=b"{", Idempotency_Key="k").status == 400
    assert machine("tenants:read").post("tenants", HOOLI, key="k").status == 403
    assert not IdempotencyRecord.objects.exists()
    assert api.post("tenants", HOOLI, key="k").status == 202


def test_an_answer_is_kept_for_a_day(api: Machine) -> None:
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        first = api.post("tenants", HOOLI, key="k")
    with time_machine.travel(start + timedelta(hours=23, minutes=59), tick=False):
        assert api.post("tenants", HOOLI, key="k").raw == first.raw
    with time_machine.travel(start + timedelta(hours=24, seconds=1), tick=False):
        anew = api.post("tenants", {**HOOLI, "slug": "pied-piper"}, key="k")
    assert anew.status == 202
    assert anew.body["tenant"] != first.body["tenant"]


def test_old_answers_are_forgotten_and_others_are_not(api: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "PURGED_AT_ONCE", 2)
    start = timezone.now()
    with time_machine.travel(start - timedelta(hours=25), tick=False):
        for number in range(5):
            api.post("tenants/nobody:suspend", {"reason": "unpaid"}, key=f"old-{number}")
    api.post("tenants/nobody:suspend", {"reason": "unpaid"}, key="young")
    assert purge_answers() == 5
    assert [record.key for record in IdempotencyRecord.objects.all()] == ["young"]


class ThrottledError(DomainError):
    code, title, status = "throttled-in-test", "Slow down", 429


@pytest.mark.parametrize(
    ("error", "status"),
    [(ThrottledError(), 429), (DomainError("inside"), 400), (RuntimeError("a secret"), 500), (KeyError("x"), 500)],
)
def test_what_may_go_away_is_not_kept(api: Machine, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int) -> None:
    def fail(**_: Any) -> Operation:
        Tenant.objects.update(name="half done")
        raise error

    api.post("tenants", {**HOOLI, "slug": "pied-piper"})
    with monkeypatch.context() as patch:
        patch.setattr(tenants, "start_onboard", fail)
        answer = api.post("tenants", HOOLI, key="k")
    assert answer.status == status
    assert "secret" not in answer.raw.decode()
    if status != 400:
        assert Tenant.objects.filter(name="half done").count() == 0
        assert api.post("tenants", HOOLI, key="k").status == 202


def test_an_answer_that_cannot_be_kept_undoes_the_act(api: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies after the act and before its record: neither may stand."""

    def die(*_: Any) -> None:
        raise SystemError("the process is gone")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "_keep", die)
        patch.setattr(idempotency, "_release", lambda claim: None)
        assert api.post("tenants", HOOLI, key="k").status == 500
    assert not Tenant.objects.exists()
    still = api.post("tenants", HOOLI, key="k")
    assert (still.status, kind_of(still), still.headers["Retry-After"]) == (409, "request-still-running", "1")
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        assert api.post("tenants", HOOLI, key="k").status == 202
    assert Tenant.objects.count() == 1


def test_a_request_that_overslept_does_not_write_after_its_successor(api: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tenants.start_onboard

    def oversleep(**given: Any) -> Operation:
        operation = real(**given)
        IdempotencyRecord.objects.update(claim=2)  # what a successor does once the claim has run out
        return operation

    monkeypatch.setattr(tenants, "start_onboard", oversleep)
    answer = api.post("tenants", HOOLI, key="k")
    assert (answer.status, kind_of(answer)) == (409, "request-still-running")
    assert not Tenant.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_others_are_told_to_wait_and_one_tenant_comes_of_it(
    api: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    answers: list[Answer] = []

    def first() -> None:
        try:
            answers.append(Machine(api.text).post("tenants", HOOLI, key="k"))
        finally:
            connection.close()

    claim = idempotency._claim

    def claim_then_hold(*given: Any) -> Any:
        known = claim(*given)
        if threading.current_thread() is worker:
            inside.set()
            assert go_on.wait(20)
        return known

    monkeypatch.setattr(idempotency, "_claim", claim_then_hold)
    worker = threading.Thread(target=first)
    worker.start()
    assert inside.wait(20)
    second = api.post("tenants", HOOLI, key="k")
    go_on.set()
    worker.join(20)
    assert (second.status, kind_of(second)) == (409, "request-still-running")
    assert answers[0].status == 202
    assert api.post("tenants", HOOLI, key="k").raw == answers[0].raw
    assert Tenant.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_are_one(api: Machine) -> None:
    gate = threading.Barrier(10)
    answers: list[Answer] = []

    def send() -> None:
        try:
            gate.wait(20)
            answers.append(Machine(api.text).post("tenants", HOOLI, key="k"))
        finally:
            connection.close()

    workers = [threading.Thread(target=send) for _ in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted({answer.status for answer in answers}) in ([202], [202, 409])
    assert len({answer.raw for answer in answers if answer.status == 202}) == 1
    assert Tenant.objects.count() == 1
    assert Operation.objects.filter(kind=OperationKind.ONBOARD).count() == 1
