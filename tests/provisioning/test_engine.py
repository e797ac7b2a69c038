"""Claims, records, waits, retries and failures, in a make-believe AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from core.audit.models import AuditEvent
from core.errors import DomainError
from provisioning import claims, engine
from provisioning.models import Operation, Resource
from provisioning.outcomes import MAX_FAILURES
from provisioning.resources.base import Ensured, Known, Observed, Spec, Wait
from provisioning.services import start_repair
from tenants.models import Tenant
from tests.cast import OPERATOR, asked, finish, make_due, onboarded, ready_cell
from tests.provisioning.fakes import FakeKind, World, make_believe

pytestmark = pytest.mark.django_db


class BusyError(DomainError):
    code = "Throttling"
    retryable = True


class DeniedError(DomainError):
    code = "AccessDenied"


class Death(BaseException):
    """The worker is gone: nothing after this line runs."""


def die(*_: object) -> None:
    raise Death


def fail_with(error: Exception) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_believe(monkeypatch) as world:
        ready_cell()
        yield world


def states(operation: Operation) -> list[str]:
    return list(operation.steps.order_by("position").values_list("state", flat=True))


def test_a_tenant_is_active_when_everything_was_read_back(world: World) -> None:
    tenant = onboarded("acme")
    operation = tenant.operations.get()
    assert (tenant.state, operation.state, operation.steps_done) == ("active", "succeeded", operation.steps_total)
    assert world.calls == [(verb, kind) for kind in ("pool", "client", "store") for verb in ("ensure", "after", "observe")]
    assert set(tenant.resources.values_list("state", flat=True)) == {"present"}
    assert {"operation.started", "operation.succeeded", "tenant.activated"} <= set(
        AuditEvent.objects.filter(tenant_id=tenant.pk).values_list("action", flat=True)
    )


def test_an_answer_is_not_evidence(world: World) -> None:
    world.plan("observe", "client", *[lambda: Observed(True, ("flows differ",))] * MAX_FAILURES)
    operation = finish(asked("acme"))
    assert (operation.state, operation.error_code) == ("failed", "not-observed")
    assert "flows differ" in operation.error_detail
    assert operation.left_behind == ["client own"]
    assert Tenant.objects.get().state == "provisioning"


def test_waiting_frees_the_worker_and_goes_on_when_due(world: World) -> None:
    world.plan("ensure", "pool", lambda: Wait(30, "still creating"))
    operation = asked("acme")
    engine.run(operation.pk)
    operation.refresh_from_db()
    assert operation.state == "waiting"
    assert operation.not_before is not None
    assert operation.not_before > timezone.now() + timedelta(seconds=25)
    engine.run(operation.pk)
    assert world.calls == [("ensure", "pool")]
    make_due(operation)
    engine.run(operation.pk)
    operation.refresh_from_db()
    assert operation.state == "succeeded"


def test_retryable_errors_are_tried_again_up_to_a_budget(world: World) -> None:
    world.plan("ensure", "pool", *[fail_with(BusyError("slow down"))] * (MAX_FAILURES - 1))
    assert finish(asked("acme")).state == "succeeded"
    world.plan("ensure", "pool", *[fail_with(BusyError("slow down"))] * MAX_FAILURES)
    operation = finish(asked("globex"))
    assert (operation.state, operation.error_code) == ("failed", "Throttling")


def test_other_errors_fail_at_once_with_an_owner(world: World) -> None:
    world.plan("ensure", "client", fail_with(DeniedError("not allowed")))
    operation = finish(asked("acme"))
    step = operation.steps.get(kind="client")
    assert (operation.state, step.state, step.error_code, step.error_detail) == ("failed", "failed", "AccessDenied", "not allowed")
    assert states(operation) == ["succeeded", "failed", "pending"]
    assert AuditEvent.objects.filter(action="operation.failed", target=operation.pk).count() == 1


def test_a_bug_fails_the_operation_without_its_text(world: World) -> None:
    world.plan("ensure", "client", fail_with(KeyError("hunter2")))
    operation = finish(asked("acme"))
    assert (operation.state, operation.error_code) == ("failed", "internal-error")
    assert "hunter2" not in operation.error_detail


def test_only_one_worker_holds_an_operation(world: World) -> None:
    operation = asked("acme")
    first = claims.take(operation.pk)
    assert first is not None
    assert claims.take(operation.pk) is None
    make_due(operation)
    second = claims.take(operation.pk)
    assert second is not None
    assert second.attempt == first.attempt + 1
    with pytest.raises(claims.LostClaimError):
        claims.hold(first, steps_done=1)


def test_a_worker_that_overslept_cannot_overwrite_its_successor(world: World) -> None:
    operation = asked("acme")

    def oversleep() -> None:
        make_due(operation)
        engine.run(operation.pk)

    world.plan("after", "pool", oversleep)
    engine.run(operation.pk)
    operation.refresh_from_db()
    assert (operation.state, operation.attempt) == ("succeeded", 2)
    assert operation.steps.get(kind="pool").tries == 2
    assert AuditEvent.objects.filter(action="operation.succeeded").count() == 1


@pytest.mark.parametrize("verb", ["ensure", "after", "observe"])
@pytest.mark.parametrize("kind", ["pool", "client", "store", "extra"])
def test_a_dead_worker_is_followed_by_another(world: World, verb: str, kind: str) -> None:
    world.plan(verb, kind, die)
    operation = asked("globex")
    with pytest.raises(Death):
        engine.run(operation.pk)
    operation.refresh_from_db()
    assert operation.state == "running"
    assert Resource.objects.get(tenant=operation.tenant, kind=kind).state == "intended"
    engine.run(operation.pk)
    operation.refresh_from_db()
    assert operation.state == "running", "the lease still holds"
    assert finish(operation).state == "succeeded"
    assert len(world.things) == 4


def test_a_death_before_the_record_repeats_only_that_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = engine._record
    deaths = [Death()]

    def dying(work: engine.Run, step: object, outcome: object) -> bool:
        if getattr(step, "kind", "") == "client" and deaths:
            raise deaths.pop()
        return record(work, step, outcome)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_record", dying)
    operation = asked("acme")
    with pytest.raises(Death):
        engine.run(operation.pk)
    assert finish(operation).state == "succeeded"
    assert [call for call in world.calls if call[0] == "ensure"] == [
        ("ensure", "pool"),
        ("ensure", "client"),
        ("ensure", "client"),
        ("ensure", "store"),
    ]


def test_running_a_finished_or_unknown_operation_does_nothing(world: World) -> None:
    tenant = onboarded("acme")
    before = list(world.calls)
    engine.run(tenant.operations.get().pk)
    engine.run("op_unknown")
    assert world.calls == before


def test_only_a_first_try_with_nothing_half_made_may_skip_looking(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, bool]] = []
    ensure = FakeKind.ensure

    def listening(self: FakeKind, aws: object, spec: Spec, known: Known) -> Ensured | Wait:
        told.append((self.KIND, known.fresh))
        return ensure(self, aws, spec, known)

    monkeypatch.setattr(FakeKind, "ensure", listening)
    world.plan("after", "client", die)
    operation = asked("acme")
    with pytest.raises(Death):
        engine.run(operation.pk)
    finish(operation)
    assert told == [("pool", True), ("client", True), ("client", False), ("store", True)]
    told.clear()
    Resource.objects.filter(kind="pool").update(state="intended")
    finish(start_repair(actor=OPERATOR, tenant_id=operation.tenant_id or "", reason="look"))
    assert told == [("pool", False), ("client", True), ("store", True)]
