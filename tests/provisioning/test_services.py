"""Every act on a tenant, from the service to the engine's end, in a make-believe AWS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from core.audit.models import AuditEvent
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.outbox.models import OutboxEvent
from provisioning import claims, drift, services, sweeping
from provisioning.models import Operation
from provisioning.operations import BusyError
from tenants.models import Cell, OnboardingRequest, Tenant, Tier
from tests.cast import OPERATOR, asked, finish, onboarded, ready_cell
from tests.provisioning.fakes import World, make_believe
from tests.provisioning.test_engine import DeniedError, fail_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_believe(monkeypatch) as world:
        ready_cell()
        yield world


def ledger(tenant: Tenant) -> dict[str, str]:
    return dict(tenant.resources.values_list("kind", "state"))


def test_suspend_takes_effect_at_commit_and_resume_only_when_observed(world: World) -> None:
    tenant = onboarded("initech")
    operation = services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="unpaid")
    tenant.refresh_from_db()
    assert tenant.state == "suspended"
    finish(operation)
    assert world.things[f"pool:{tenant.pk}"]["enabled"] is False
    operation = services.start_resume(actor=OPERATOR, tenant_id=tenant.pk, reason="paid")
    tenant.refresh_from_db()
    assert tenant.state == "suspended"
    finish(operation)
    tenant.refresh_from_db()
    assert tenant.state == "active"
    assert world.things[f"pool:{tenant.pk}"]["enabled"] is True


def test_suspend_does_not_wait_for_another_operation(world: World) -> None:
    tenant = onboarded("acme")
    moving = services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown")
    suspending = services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="attack")
    moving.refresh_from_db()
    assert moving.state == "abandoned"
    finish(suspending)
    tenant.refresh_from_db()
    assert tenant.tier_id == "basic", "a suspension does not finish a move first"
    assert set(ledger(tenant).values()) == {"present"}
    assert all(thing["enabled"] is False for thing in world.things.values())


def test_suspend_waits_for_the_lease_of_a_worker_inside_another_operation(world: World) -> None:
    tenant = onboarded("acme")
    repairing = services.start_repair(actor=OPERATOR, tenant_id=tenant.pk, reason="look")
    claim = claims.take(repairing.pk)
    assert claim is not None
    suspending = services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="attack")
    assert suspending.not_before == claim.operation.lease_until
    with pytest.raises(claims.LostClaimError):
        claims.hold(claim, steps_done=1)


def test_a_tier_move_makes_what_lacks_and_retains_what_holds_data(world: World) -> None:
    tenant = onboarded("acme")
    finish(services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown"))
    assert ledger(tenant)["extra"] == "present"
    finish(services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="basic", reason="shrunk"))
    assert ledger(tenant)["extra"] == "retained"
    assert f"extra:{tenant.pk}" in world.things


def test_offboarding_has_a_grace_and_then_removes_everything(world: World) -> None:
    tenant = onboarded("globex")
    finish(services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="left", grace=timedelta(days=1)))
    assert all(thing["enabled"] is False for thing in world.things.values())
    assert sweeping.start_due_removals() == 0
    with pytest.raises(ConflictError):
        services.start_deprovision(actor=OPERATOR, tenant_id=tenant.pk, reason="now")
    Tenant.objects.filter(pk=tenant.pk).update(offboard_due_at=timezone.now())
    assert sweeping.start_due_removals() == 1
    assert sweeping.start_due_removals() == 0
    finish(tenant.operations.get(kind="deprovision"))
    tenant.refresh_from_db()
    assert tenant.state == "closed"
    assert world.things == {}
    assert set(ledger(tenant).values()) == {"absent"}


@pytest.mark.parametrize("before", ["active", "suspended"])
def test_offboarding_can_be_undone_to_where_it_came_from(world: World, before: str) -> None:
    tenant = onboarded("acme")
    if before == "suspended":
        finish(services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="unpaid"))
    finish(services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="left"))
    finish(services.start_undo_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="came back"))
    tenant.refresh_from_db()
    assert tenant.state == before
    assert world.things[f"pool:{tenant.pk}"]["enabled"] is (before == "active")


def test_once_the_removal_has_begun_it_cannot_be_undone(world: World) -> None:
    tenant = onboarded("acme")
    finish(services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="left", grace=timedelta(0)))
    services.start_deprovision(actor=OPERATOR, tenant_id=tenant.pk, reason="due")
    with pytest.raises(ConflictError):
        services.start_undo_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="wait")


def test_a_failed_onboarding_can_be_retried(world: World) -> None:
    world.plan("ensure", "client", fail_with(DeniedError("not allowed")))
    operation = finish(asked("acme"))
    assert operation.state == "failed"
    finish(services.retry(actor=OPERATOR, operation_id=operation.pk, reason="role mended"))
    operation.refresh_from_db()
    assert operation.state == "succeeded"
    assert operation.steps.count() == operation.steps_total == operation.steps_done == 4
    assert list(operation.steps.values_list("kind", flat=True)) == ["pool", "pool", "client", "store"], "a retry reads all back"
    assert Tenant.objects.get().state == "active"
    with pytest.raises(ConflictError):
        services.retry(actor=OPERATOR, operation_id=operation.pk, reason="again")


def test_what_was_lost_between_failure_and_retry_is_made_again(world: World) -> None:
    world.plan("ensure", "store", fail_with(DeniedError("not allowed")))
    operation = finish(asked("acme"))
    world.things.clear()
    finish(services.retry(actor=OPERATOR, operation_id=operation.pk, reason="role mended"))
    assert len(world.things) == 3


def test_resuming_reads_everything_back(world: World) -> None:
    tenant = onboarded("initech")
    finish(services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="unpaid"))
    world.things.clear()
    finish(services.start_resume(actor=OPERATOR, tenant_id=tenant.pk, reason="paid"))
    assert len(world.things) == 3


def test_an_abandoned_onboarding_leaves_nothing(world: World) -> None:
    world.plan("ensure", "store", fail_with(DeniedError("not allowed")))
    operation = finish(asked("acme"))
    finish(services.abandon(actor=OPERATOR, operation_id=operation.pk, reason="give up"))
    operation.refresh_from_db()
    assert operation.state == "abandoned"
    assert Tenant.objects.get().state == "closed"
    assert world.things == {}


def test_an_abandoned_tier_move_goes_back_to_the_tier_before(world: World) -> None:
    tenant = onboarded("acme")
    world.plan("ensure", "extra", fail_with(DeniedError("not allowed")))
    operation = finish(services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown"))
    assert operation.state == "failed"
    finish(services.abandon(actor=OPERATOR, operation_id=operation.pk, reason="later"))
    tenant.refresh_from_db()
    assert (tenant.tier_id, tenant.state) == ("basic", "active")
    assert world.things[f"pool:{tenant.pk}"]["tier"] == "basic"


def test_a_removal_can_be_retried_but_not_given_up(world: World) -> None:
    tenant = onboarded("acme")
    finish(services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="left", grace=timedelta(0)))
    world.plan("remove", "client", fail_with(DeniedError("not allowed")))
    operation = finish(services.start_deprovision(actor=OPERATOR, tenant_id=tenant.pk, reason="due"))
    assert operation.state == "failed"
    with pytest.raises(ConflictError):
        services.abandon(actor=OPERATOR, operation_id=operation.pk, reason="enough")
    finish(services.retry(actor=OPERATOR, operation_id=operation.pk, reason="mended"))
    tenant.refresh_from_db()
    assert (tenant.state, world.things) == ("closed", {})


def test_repair_brings_back_what_was_lost(world: World) -> None:
    tenant = onboarded("globex")
    whole = dict(world.things)
    world.things.clear()
    finish(services.start_repair(actor=OPERATOR, tenant_id=tenant.pk, reason="lost"))
    assert world.things == whole


def test_a_cell_is_ready_when_what_it_shares_was_read_back(world: World) -> None:
    Cell.objects.update(state="registered")
    finish(services.start_prepare_cell(actor=OPERATOR, cell_code="prod", reason="new"))
    assert Cell.objects.get().state == "ready"
    with pytest.raises(ConflictError):
        services.start_prepare_cell(actor=OPERATOR, cell_code="prod", reason="again")
    world.things.clear()
    finish(services.start_repair_cell(actor=OPERATOR, cell_code="prod", reason="lost"))
    assert len(world.things) == 1


def test_a_tenant_has_one_active_operation(world: World) -> None:
    tenant = onboarded("acme")
    first = services.start_repair(actor=OPERATOR, tenant_id=tenant.pk, reason="look")
    with pytest.raises(BusyError, match=first.pk):
        services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown")
    tenant.refresh_from_db()
    assert tenant.tier_id == "basic"


def test_one_reference_gives_one_tenant_and_the_first_answer(world: World) -> None:
    first = asked("acme")
    assert asked("acme").pk == first.pk
    with pytest.raises(ConflictError) as caught:
        asked("acme", name="Other")
    assert caught.value.code == "idempotency-mismatch"
    assert Tenant.objects.count() == 1


def test_a_refused_request_is_kept_and_may_ask_again(world: World) -> None:
    with pytest.raises(InvalidInputError) as caught:
        asked("acme", admin_email="nobody", slug="www")
    assert {error.pointer for error in caught.value.errors} == {"/slug", "/admin_email"}
    assert OnboardingRequest.objects.get().state == "refused"
    assert AuditEvent.objects.filter(action="onboarding.refused").count() == 1
    asked("acme")
    assert OnboardingRequest.objects.get().state == "accepted"


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"slug": "acrne"}, "/slug"),
        ({"slug": "ACME"}, "/slug"),
        ({"slug": "-"}, "/slug"),
        ({"slug": "x" * 64}, "/slug"),
        ({"tier_code": "gold"}, "/tier"),
        ({"tier_code": "retired"}, "/tier"),
        ({"cell_code": "moon"}, "/cell"),
        ({"cell_code": "gov"}, "/cell"),
        ({"cell_code": "raw"}, "/cell"),
        ({"admin_email": "a@b"}, "/admin_email"),
        ({"admin_email": "x\n@example.com"}, "/admin_email"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "n" * 201}, "/name"),
        ({"name": "  "}, "/name"),
    ],
)
def test_preflight_refuses_before_anything_is_made(world: World, values: dict[str, str], pointer: str) -> None:
    onboarded("acme")
    ready_cell("gov", partition="aws-us-gov", region="us-gov-west-1")
    Cell.objects.filter(pk=ready_cell("raw").pk).update(state="registered")
    Tier.objects.create(code="retired", name="Old", isolation_model="pool", retired_at=timezone.now())
    before = (Tenant.objects.count(), Operation.objects.count(), OutboxEvent.objects.count())
    with pytest.raises(InvalidInputError) as caught:
        asked("newcomer", **values)
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert (Tenant.objects.count(), Operation.objects.count(), OutboxEvent.objects.count()) == before


@pytest.mark.parametrize("act", ["start_suspend", "start_resume", "start_offboard", "start_undo_offboard", "start_repair"])
def test_acts_on_nobody_and_without_a_reason_are_refused(world: World, act: str) -> None:
    with pytest.raises(NotFoundError):
        getattr(services, act)(actor=OPERATOR, tenant_id="tnt_nobody", reason="why not")
    tenant = onboarded("acme")
    with pytest.raises(InvalidInputError):
        getattr(services, act)(actor=OPERATOR, tenant_id=tenant.pk, reason="  ")


LAWLESS = {
    "provisioning": ["start_suspend", "start_resume", "start_offboard", "start_undo_offboard", "start_repair"],
    "active": ["start_resume", "start_undo_offboard", "start_deprovision"],
    "suspended": ["start_suspend", "start_undo_offboard", "start_deprovision"],
    "offboarding": ["start_suspend", "start_resume", "start_offboard"],
    "closed": ["start_suspend", "start_resume", "start_offboard", "start_undo_offboard", "start_repair", "start_deprovision"],
}


@pytest.mark.parametrize(("state", "act"), [(state, act) for state, acts in LAWLESS.items() for act in acts])
def test_illegal_transitions_are_refused(world: World, state: str, act: str) -> None:
    tenant = onboarded("acme")
    Tenant.objects.filter(pk=tenant.pk).update(state=state, offboard_due_at=timezone.now() + timedelta(days=1))
    with pytest.raises(ConflictError):
        getattr(services, act)(actor=OPERATOR, tenant_id=tenant.pk, reason="try")
    tenant.refresh_from_db()
    assert tenant.state == state


def failed(world: World, operation: Operation, verb: str, kind: str) -> Operation:
    """Carry an operation out to a failure that no retry heals."""
    world.plan(verb, kind, fail_with(DeniedError("not allowed")))
    assert finish(operation).state == "failed"
    return operation


def test_a_failed_removal_is_not_built_up_again_by_a_repair(world: World) -> None:
    tenant = onboarded("acme")
    finish(services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="left", grace=timedelta(0)))
    removal = failed(world, services.start_deprovision(actor=OPERATOR, tenant_id=tenant.pk, reason="due"), "remove", "client")
    with pytest.raises(BusyError, match=removal.pk):
        services.start_repair(actor=OPERATOR, tenant_id=tenant.pk, reason="look")
    finish(services.retry(actor=OPERATOR, operation_id=removal.pk, reason="mended"))
    tenant.refresh_from_db()
    assert tenant.state == "closed"


def test_the_clock_does_not_remove_a_tenant_whose_way_back_has_failed(world: World) -> None:
    tenant = onboarded("acme")
    finish(services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="left", grace=timedelta(days=1)))
    back = failed(world, services.start_undo_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="stays"), "ensure", "client")
    Tenant.objects.filter(pk=tenant.pk).update(offboard_due_at=timezone.now())
    assert sweeping.start_due_removals() == 0
    finish(services.retry(actor=OPERATOR, operation_id=back.pk, reason="mended"))
    tenant.refresh_from_db()
    assert tenant.state == "active"


def test_a_suspension_undoes_a_failed_move_instead_of_finishing_it(world: World) -> None:
    tenant = onboarded("acme")
    failed(
        world,
        services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown"),
        "ensure",
        "extra",
    )
    finish(services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="attack"))
    tenant.refresh_from_db()
    assert (tenant.tier_id, tenant.state) == ("basic", "suspended")
    assert not any(thing["enabled"] for thing in world.things.values())


def test_the_drift_check_leaves_a_failure_to_its_operator(world: World) -> None:
    tenant = onboarded("acme")
    moving = services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown")
    failed(world, moving, "ensure", "extra")
    assert drift.check_oldest() == 0
    finish(services.abandon(actor=OPERATOR, operation_id=moving.pk, reason="later"))
    world.things.pop(f"client:{tenant.pk}")
    assert drift.check_oldest() == 1


def test_one_tenant_that_cannot_be_read_does_not_keep_the_others_from_being_checked(world: World) -> None:
    onboarded("acme").resources.filter(kind="pool").update(kind="a kind that was dropped")
    other = onboarded("globex")
    world.things.pop(f"client:{other.pk}")
    assert drift.check_oldest() == 1


def test_a_cell_that_cannot_be_reached_fails_the_operation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(cell: object, *, session_name: str) -> object:
        raise TypeError("no such capability")

    monkeypatch.setattr("tenants.clouds.connect_to", unreachable)
    operation = finish(asked("acme"))
    assert (operation.state, operation.error_code) == ("failed", "cell-unreachable")


def test_abandoning_a_failed_repair_of_a_cell_removes_nothing(world: World) -> None:
    finish(services.start_repair_cell(actor=OPERATOR, cell_code="prod", reason="look"))
    Cell.objects.update(state="draining")
    repair = failed(world, services.start_repair_cell(actor=OPERATOR, cell_code="prod", reason="look"), "ensure", "base")
    finish(services.abandon(actor=OPERATOR, operation_id=repair.pk, reason="leave it"))
    assert len(world.things) == 1
