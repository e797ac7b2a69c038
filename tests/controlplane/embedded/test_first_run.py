"""The first operator, tiers and cell are there once; repairs reach every living tenant; a code is shown in dev alone."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console.access import Role, role_of
from controlplane.embedded import first_run
from controlplane.embedded.first_run import CellNotReadyError, settle
from core.errors import ConflictError
from provisioning.models import Operation, OperationKind, OperationState
from tenants.lifecycle import TenantState
from tenants.models import Cell, CellState, Tenant, Tier

pytestmark = pytest.mark.django_db
ROLE = "arn:aws:iam::000000000000:role/cp-local--control-plane"


class Told(list[dict[str, Any]]):
    """The events of a run."""

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self if event["event"] == kind]


class Engine:
    """Stands in for the services and the worker: an operation that is started has ended at once, as ``outcome`` says."""

    def __init__(self) -> None:
        self.outcome = OperationState.SUCCEEDED
        self.busy: set[str] = set()
        self.started: list[tuple[str, str]] = []

    def _ended(self, kind: OperationKind, **subject: Any) -> Operation:
        self.started.append((kind.value, str(next(iter(subject.values())))))
        return Operation.objects.create(
            kind=kind,
            state=self.outcome,
            actor="system:up",
            created_at=timezone.now(),
            error_code="AccessDenied",
            error_detail="no.",
            **subject,
        )

    def start_prepare_cell(self, *, actor: object, cell_code: str, reason: str) -> Operation:
        cell = Cell.objects.get(code=cell_code)
        if self.outcome == OperationState.SUCCEEDED:
            Cell.objects.update(state=CellState.READY)
        return self._ended(OperationKind.PREPARE_CELL, cell=cell)

    def start_repair_cell(self, *, actor: object, cell_code: str, reason: str) -> Operation:
        return self._ended(OperationKind.REPAIR, cell=Cell.objects.get(code=cell_code))

    def start_repair(self, *, actor: object, tenant_id: str, reason: str) -> Operation:
        tenant = Tenant.objects.get(pk=tenant_id)
        under_way = Operation.objects.filter(tenant=tenant, state=OperationState.RUNNING)
        if under_way and tenant.slug not in self.busy:
            self.busy.add(tenant.slug)  # found busy once; then its operation ends
            raise ConflictError("busy")
        under_way.update(state=OperationState.SUCCEEDED)
        if tenant.state == TenantState.PROVISIONING:
            raise ConflictError("The tenant is provisioning; there is nothing to repair.")
        return self._ended(OperationKind.REPAIR, tenant=tenant)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(first_run, "services", made)
    monkeypatch.setattr(first_run, "LOOK_SECONDS", 0)
    return made


def run(*, role_arn: str = ROLE, repair: bool = False) -> Told:
    told = Told()
    settle(told.append, region="eu-central-1", role_arn=role_arn, repair=repair)
    return told


def tenant(slug: str, state: TenantState) -> Tenant:
    due = timezone.now() if state == TenantState.OFFBOARDING else None
    return Tenant.objects.create(
        slug=slug, skeleton=slug, name=slug, state=state, tier=Tier.objects.get(pk="basic"), cell=Cell.objects.get(), admin_email="a@b.example",
        state_changed_at=timezone.now(), offboard_due_at=due,
    )  # fmt: skip


def test_the_first_operator_can_sign_in_with_both_factors_and_is_told_once(engine: Engine) -> None:
    (event,) = run().of("operator")
    user = authenticate(username=event["username"], password=event["password"])
    assert user is not None
    assert role_of(user) is Role.OPERATOR
    assert not user.is_superuser
    device = TOTPDevice.objects.get(user=user)
    assert device.confirmed
    assert event["otpauth"] == device.config_url
    assert len(device.bin_key) == 20, "the 160 bits that RFC 4226 recommends"
    assert not run().of("operator")
    assert get_user_model().objects.count() == 1


def test_tiers_and_cell_are_seeded_and_prepared_once(engine: Engine) -> None:
    told = run()
    cell = Cell.objects.get()
    assert (cell.code, cell.region, cell.role_arn, cell.state) == ("local", "eu-central-1", ROLE, CellState.READY)
    assert set(cell.capabilities.values()) == {False}
    assert Tier.objects.count() == 4
    assert told.of("progress")
    run()
    assert engine.started == [("prepare_cell", cell.code)]


def test_a_preparation_that_fails_is_said_and_begun_again_at_the_next_start(engine: Engine) -> None:
    engine.outcome = OperationState.FAILED
    with pytest.raises(CellNotReadyError, match=r"AccessDenied: no\. Operation op_\w+ can be tried again"):
        run()
    Cell.objects.update(state=CellState.PREPARING)
    engine.outcome = OperationState.SUCCEEDED
    run()
    assert [kind for kind, _ in engine.started] == ["prepare_cell", "prepare_cell"]


def test_with_a_given_aws_no_cell_is_made_up(engine: Engine) -> None:
    (event,) = run(role_arn="").of("notice")
    assert "register and prepare a cell" in event["text"]
    assert not Cell.objects.exists()


def test_repair_reaches_the_cell_and_every_living_tenant_the_busy_one_later(engine: Engine) -> None:
    run()
    engine.started.clear()
    living = [tenant("a", TenantState.ACTIVE), tenant("b", TenantState.SUSPENDED), tenant("c", TenantState.OFFBOARDING)]
    tenant("gone", TenantState.CLOSED)
    tenant("half", TenantState.PROVISIONING)
    Operation.objects.create(
        kind=OperationKind.SUSPEND, tenant=living[0], state=OperationState.RUNNING, actor="operator:o", created_at=timezone.now()
    )
    told = run(repair=True)
    assert engine.started[0] == ("repair", "local")
    assert sorted(engine.started[1:]) == [("repair", "a"), ("repair", "b"), ("repair", "c")]
    assert engine.started[-1] == ("repair", "a"), "after its own operation"
    assert told.of("repaired") == [{"event": "repaired", "tenants": 3, "failed": []}]
    assert [event["text"] for event in told.of("notice")] == [
        "half was not repaired: The tenant is provisioning; there is nothing to repair."
    ]


def test_a_repair_that_fails_is_named(engine: Engine) -> None:
    run()
    tenant("a", TenantState.ACTIVE)
    real = engine.start_repair

    def fail(**arguments: Any) -> Operation:
        engine.outcome = OperationState.FAILED
        return real(**arguments)

    engine.start_repair = fail  # type: ignore[method-assign]
    assert run(repair=True).of("repaired") == [{"event": "repaired", "tenants": 0, "failed": ["a"]}]


def test_a_healthy_stand_in_repairs_nobody(engine: Engine) -> None:
    run()
    tenant("a", TenantState.ACTIVE)
    engine.started.clear()
    assert not run().of("repaired")
    assert engine.started == []


def test_the_settle_command_says_one_object_a_line_and_the_reason_of_a_failure(engine: Engine) -> None:
    engine.outcome = OperationState.FAILED
    output = io.StringIO()
    with pytest.raises(CommandError):
        call_command("settle", "--role-arn", ROLE, stdout=output)
    events = [json.loads(line) for line in output.getvalue().splitlines()]
    assert events[0]["event"] == "operator"
    assert events[-1]["event"] == "unsettled"


def test_totp_shows_a_code_that_the_device_takes(engine: Engine) -> None:
    run()
    output = io.StringIO()
    call_command("totp", stdout=output)
    assert TOTPDevice.objects.get().verify_token(output.getvalue().strip())
    with pytest.raises(CommandError, match="has no authenticator"):
        call_command("totp", "nobody")


@pytest.mark.parametrize("command", ["up", "settle", "totp"])
def test_nothing_of_it_runs_outside_dev(command: str, settings: Any) -> None:
    settings.ENVIRONMENT = "production"
    with pytest.raises(CommandError, match="dev"):
        call_command(command)
