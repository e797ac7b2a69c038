"""Many tenants at once, as rows alone: what a control plane's database looks like after years. Nothing is made in AWS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from bench.customers import MIX, QUOTAS, TIERS
from core.ids import OPERATION, RESOURCE, STEP, TENANT, new_id
from provisioning.models import Operation, Resource, Step
from tenants.models import Cell, CellState, Tenant
from tenants.seed import seed_cell, seed_tiers
from tenants.slugs import skeleton_of

KINDS = ("user_pool", "app_client", "administrator", "kms_key", "storage_prefix", "secret", "log_group")
BATCH = 2_000
SPEC = {"name": "n" * 40, "tags": {"controlplane:tenant": "t" * 30, "controlplane:managed-by": "controlplane"}}
"""Shorter than real ones: no list reads them."""


def fill(number: int) -> None:
    """Write ``number`` tenants, each with an operation, its steps and its ledger; one in 50 suspended, one in 400 with a failure."""
    seed_tiers()
    place = {"partition": "aws", "region": "eu-central-1", "account_id": "123456789012", "role_arn": ""}
    place = {"partition": "aws", "region": "eu-central-1", "account_id": "123456789012", "role_arn": ""}
    cell = seed_cell(code="bench", environment="dev", quotas=QUOTAS, **place)
    Cell.objects.update(state=CellState.READY)
    now = timezone.now()
    for start in range(0, number, BATCH):
        tenants = [
            _tenant(index, cell, now - timedelta(minutes=number - index)) for index in range(start, min(start + BATCH, number))
        ]
        operations = [_operation(index, tenant) for index, tenant in enumerate(tenants, start)]
        Tenant.objects.bulk_create(tenants)
        Operation.objects.bulk_create(operations)
        Step.objects.bulk_create((step for operation in operations for step in _steps(operation)), batch_size=BATCH)
        Resource.objects.bulk_create((row for operation in operations for row in _ledger(operation)), batch_size=BATCH)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _tenant(index: int, cell: Cell, at: datetime) -> Tenant:
    slug = f"customer-{index}"
    return Tenant(
        id=new_id(TENANT, now_ms=_milliseconds(at)),
        slug=slug,
        skeleton=skeleton_of(slug),
        name=f"Customer number {index}",
        state="suspended" if index % 50 == 7 else "active",
        tier_id=TIERS[MIX[index % len(MIX)]],
        cell=cell,
        admin_email=f"admin@{slug}.example",
        state_changed_at=at,
    )


def _operation(index: int, tenant: Tenant) -> Operation:
    at = tenant.state_changed_at
    return Operation(
        id=new_id(OPERATION, now_ms=_milliseconds(at)),
        kind="onboard",
        tenant=tenant,
        state="failed" if index % 400 == 3 else "succeeded",
        actor="operator:bench:Bench",
        reason="Contract signed",
        target={"state": "active"},
        attempt=1,
        steps_total=len(KINDS),
        steps_done=len(KINDS),
        created_at=at,
        started_at=at,
        finished_at=at,
    )


def _steps(operation: Operation) -> Iterator[Step]:
    at = operation.created_at
    for position, kind in enumerate(KINDS, start=1):
        yield Step(
            id=new_id(STEP, now_ms=_milliseconds(at)),
            operation=operation,
            position=position,
            action="ensure",
            kind=kind,
            name="own",
            spec=SPEC,
            state="succeeded",
            tries=1,
            aws_calls=3,
            started_at=at,
            finished_at=at,
        )


def _ledger(operation: Operation) -> Iterator[Resource]:
    at = operation.created_at
    for kind in KINDS:
        yield Resource(
            id=new_id(RESOURCE, now_ms=_milliseconds(at)),
            tenant_id=operation.tenant_id,
            kind=kind,
            name="own",
            state="present",
            spec=SPEC,
            fingerprint="0" * 64,
            attributes={"arn": "a" * 60},
            operation=operation,
            observed_at=at,
        )
