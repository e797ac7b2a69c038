"""What must happen inside the product at every start: operator, tiers, cell, and repairs after the stand-in has lost something.

Runs as ``manage.py settle`` with the product's own environment, so it works under the least-privilege role like everything else. Each
step asks first what is there: at a second start nothing is left to do and nothing is said.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console.access import Role
from controlplane.console.accounts import add_account
from controlplane.embedded.bootstrap import ACCOUNT_ID, CELL_CODE, ENVIRONMENT, PARTITION, STANDIN_CAPABILITIES
from core.actors import system
from core.errors import ConflictError, DomainError
from provisioning import services
from provisioning.models import ACTIVE_STATES, Operation, OperationState
from tenants.lifecycle import LIVING
from tenants.models import Cell, CellState, Tenant
from tenants.seed import seed_cell, seed_tiers

OPERATOR = "operator"
ACTOR = system("up")
LOST = "the AWS stand-in has lost its state"
LOOK_SECONDS = 0.1
CELL_SECONDS = 120.0
STALL_SECONDS = 300.0
"""Repairs are given up when none has ended for this long."""

Tell = Callable[[dict[str, Any]], None]


class CellNotReadyError(DomainError):
    """The embedded cell could not be prepared; tenants cannot come."""

    code = "cell-not-ready"
    title = "The cell could not be prepared"


def settle(tell: Tell, *, region: str, role_arn: str, repair: bool) -> None:
    """Bring everything there that is missing; ``tell`` hears of it. Raises CellNotReadyError when the cell cannot be prepared."""
    create_operator(tell)
    seed_tiers()
    if not role_arn:
        tell({"event": "notice", "text": "AWS is a given one: register and prepare a cell in the console before the first tenant."})
        return
    cell = ensure_cell(tell, region=region, role_arn=role_arn, repair=repair)
    if repair:
        repair_tenants(tell, cell)


def create_operator(tell: Tell) -> None:
    """Create the first operator with a random password and a second factor, and tell both, this once; nothing when there are accounts."""
    if User.objects.exists():
        return
    password = secrets.token_urlsafe(15)
    with transaction.atomic():
        user = add_account(
            actor=ACTOR,
            username=OPERATOR,
            name="First operator",
            email="",
            role=Role.OPERATOR,
            password=password,
            reason="first start",
        )
        device = TOTPDevice.objects.create(user=user, name="first", confirmed=True, key=secrets.token_hex(20))
    tell({"event": "operator", "username": OPERATOR, "password": password, "otpauth": device.config_url})


def ensure_cell(tell: Tell, *, region: str, role_arn: str, repair: bool) -> Cell:
    """Register the embedded cell and see it prepared; ``repair`` prepares it again. Raises CellNotReadyError with the failing step's words."""
    cell = seed_cell(
        code=CELL_CODE,
        environment=ENVIRONMENT,
        partition=PARTITION,
        region=region,
        account_id=ACCOUNT_ID,
        role_arn=role_arn,
        capabilities=dataclasses.asdict(STANDIN_CAPABILITIES),
    )
    under_way = Operation.objects.filter(cell=cell, tenant=None, state__in=ACTIVE_STATES).first()
    if under_way is None and cell.state in (CellState.REGISTERED, CellState.PREPARING):
        under_way = services.start_prepare_cell(actor=ACTOR, cell_code=cell.code, reason="first start")
    elif under_way is None and repair:
        under_way = services.start_repair_cell(actor=ACTOR, cell_code=cell.code, reason=LOST)
    if under_way is not None:
        _wait_for_cell(tell, under_way)
        cell.refresh_from_db()
    return cell


def repair_tenants(tell: Tell, cell: Cell) -> None:
    """Repair every tenant that lives in the cell, through the ordinary drift path, and tell how many and which failed.

    A tenant with an operation under way comes when that has ended, since what it made before the loss is lost as well.
    """
    tenants = Tenant.objects.filter(cell=cell, state__in=LIVING).order_by("pk")
    waiting = dict(tenants.values_list("pk", "slug"))
    started: dict[str, str] = {}
    total, ended, changed_at = len(waiting), 0, time.monotonic()
    while ended < total and time.monotonic() - changed_at < STALL_SECONDS:
        for tenant_id in list(waiting):
            _start_repair(tell, tenant_id, waiting, started)
        before, ended = ended, total - len(waiting) - _count_active(started)
        changed_at = time.monotonic() if ended != before else changed_at
        _tell_progress(tell, "Repairing tenants", ended, total)
        time.sleep(LOOK_SECONDS)
    good = set(Operation.objects.filter(pk__in=started, state=OperationState.SUCCEEDED).values_list("pk", flat=True))
    failed = [slug for operation, slug in started.items() if operation not in good] + list(waiting.values())
    if total:
        tell({"event": "repaired", "tenants": len(good), "failed": sorted(failed)})


def _start_repair(tell: Tell, tenant_id: str, waiting: dict[str, str], started: dict[str, str]) -> None:
    """Start one tenant's repair, or leave it waiting for the operation that it has under way, or say why it has none."""
    try:
        started[services.start_repair(actor=ACTOR, tenant_id=tenant_id, reason=LOST).pk] = waiting[tenant_id]
    except ConflictError as error:
        if Operation.objects.filter(tenant=tenant_id, state__in=ACTIVE_STATES).exists():
            return
        tell({"event": "notice", "text": f"{waiting[tenant_id]} was not repaired: {error.detail}"})
    del waiting[tenant_id]


def _wait_for_cell(tell: Tell, operation: Operation) -> None:
    give_up_at = time.monotonic() + CELL_SECONDS
    while operation.state in ACTIVE_STATES:
        _tell_progress(tell, "Preparing the cell", operation.steps_done, operation.steps_total)
        if time.monotonic() > give_up_at:
            raise CellNotReadyError(
                f"The cell was not prepared within {CELL_SECONDS:.0f} s; operation {operation.pk} is {operation.state}."
            )
        time.sleep(LOOK_SECONDS)
        operation.refresh_from_db()
    _tell_progress(tell, "Preparing the cell", operation.steps_done, operation.steps_total)
    if operation.state != OperationState.SUCCEEDED:
        raise CellNotReadyError(
            f"The cell could not be prepared, so no tenant can come: {operation.error_code}: {operation.error_detail} "
            f"Operation {operation.pk} can be tried again in the console."
        )


def _count_active(operations: Iterable[str]) -> int:
    return Operation.objects.filter(pk__in=list(operations), state__in=ACTIVE_STATES).count()


def _tell_progress(tell: Tell, what: str, done: int, total: int) -> None:
    tell({"event": "progress", "what": what, "done": done, "total": total})
