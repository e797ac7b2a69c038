"""A console full of made-up, plausible organisations: for the browser's tests and for pictures. Every row comes from the services."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

from django.utils import timezone

from core.actors import Actor, operator
from core.errors import DomainError
from provisioning import engine, services
from provisioning.models import Operation, Resource, Step
from provisioning.resources.base import Wait
from tenants.models import Cell, Tenant
from tests.cast import finish, ready_cell
from tests.controlplane.console.pretend import PretendAws

ADA, MARTIN, BILLING = operator("ada", "Ada Moreau"), operator("martin", "Martin Osei"), operator("tok_billing", "billing")

ORGANISATIONS: tuple[tuple[str, str], ...] = (
    ("Northwind Learning", "basic"),
    ("Harbour Street College", "basic"),
    ("École Sainte-Barbe", "basic"),
    ("Lumen Tutors", "basic"),
    ("Fjordskolen", "basic"),
    ("Kite & Compass", "basic"),
    ("Bright Path Academy", "basic"),
    ("Osaka Language Centre 大阪語学院", "basic"),
    ("Open Shelf Library", "basic"),
    ("Maple Row Schools", "basic"),
    ("Tidewater Training", "basic"),
    ("Studio Nine", "basic"),
    ("Universität Hallstein", "standard"),
    ("Meridian Health Education", "standard"),
    ("Colegio San Telmo", "standard"),
    ("Redwood District", "standard"),
    ("Polytechnic of Arden", "standard"),
    ("Orchard Medical School", "standard"),
    ("Continental Rail Academy", "premium"),
    ("Sterling & Vale Assurance", "premium"),
    ("Aurora Aerospace", "premium"),
    ("Ministry of Works, Eastmark", "sovereign"),
)
QUOTAS = {"user_pools": 60, "roles": 1_000, "secrets": 500, "stacks": 40, "kms_keys": 14, "buckets": 100}


class RefusedError(DomainError):
    """What AWS says when a role may not do something."""

    code = "AccessDeniedException"


class SlowError(DomainError):
    """What AWS says when it is asked too often."""

    code = "ThrottlingException"
    retryable = True


def raising(error: DomainError) -> Any:
    """An act for the pretended AWS: raise this."""

    def act() -> None:
        raise error

    return act


def slug_of(name: str) -> str:
    """A short name made of a name's plain letters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = "".join(letter.lower() if letter.isalnum() else "-" for letter in plain)
    return "-".join(part for part in kept.split("-") if part)[:40]


def ask(name: str, tier: str, actor: Actor = ADA, reason: str = "Contract signed") -> Operation:
    """Ask for an onboarding."""
    slug = slug_of(name)
    email = f"admin@{slug}.example"
    return services.start_onboard(
        actor=actor,
        reference=f"crm:{slug}",
        slug=slug,
        name=name,
        tier_code=tier,
        admin_email=email,
        admin_name="Sam Rivera",
        reason=reason,
    )


def fill(world: PretendAws) -> dict[str, Tenant]:
    """Fill the database; gives the tenants that stories are told about, by role."""
    prepare(ready_cell("eu-prod-1", quotas=QUOTAS), world)
    ready_cell("us-prod-1", region="us-east-1", account_id="210987654321", quotas={"user_pools": 1_000, "roles": 1_000})
    for name, tier in ORGANISATIONS:
        finish(ask(name, tier, BILLING))
    age()
    by_name = {tenant.name: tenant for tenant in Tenant.objects.all()}
    suspended = by_name["Lumen Tutors"]
    finish(
        services.start_suspend(actor=MARTIN, tenant_id=suspended.pk, reason="Invoice 2291 is 60 days overdue; agreed with finance")
    )
    leaving = by_name["Studio Nine"]
    finish(
        services.start_offboard(actor=MARTIN, tenant_id=leaving.pk, reason="Contract ended on 20 November", grace=timedelta(days=2))
    )
    moved = by_name["Polytechnic of Arden"]
    finish(
        services.start_change_tier(actor=ADA, tenant_id=moved.pk, tier_code="premium", reason="Contract CT-118 upgrades to premium")
    )
    drifted = by_name["Meridian Health Education"]
    Resource.objects.filter(tenant=drifted, kind="secret").update(state="drifted", differences=["the resource policy is gone"])
    return {
        "suspended": suspended,
        "leaving": leaving,
        "moved": moved,
        "failed": fail(world),
        "running": run_half(world),
        "waiting": wait(world),
    }


def prepare(cell: Cell, world: PretendAws) -> None:
    """Make what the cell's tenants share."""
    finish(services.start_repair_cell(actor=ADA, cell_code=cell.code, reason="First preparation"))


def fail(world: PretendAws) -> Tenant:
    """An onboarding that AWS refuses halfway."""
    text = "User: arn:aws:sts::123456789012:assumed-role/provisioner/op is not authorized to perform: kms:CreateKey"
    world.next_for("kms_key", raising(RefusedError(text)))
    operation = ask("Brightwater Logistics", "standard", ADA, "Contract CT-204, signed on 12 November")
    engine.run(operation.pk)
    return _tenant(operation)


def run_half(world: PretendAws) -> Tenant:
    """An onboarding that a worker is in the middle of."""
    operation = ask("Cobalt Analytics", "premium", ADA, "Contract CT-209, goes live on Monday")
    world.next_for("stack", lambda: Wait(20, "CloudFormation is making the stack"))
    engine.run(operation.pk)
    Step.objects.filter(operation=operation, state="waiting").update(
        aws_request_id="8f14e45f-ceea-467f-9b2a-7d0c1f2e3a4b", aws_calls=3
    )
    return _tenant(operation)


def wait(world: PretendAws) -> Tenant:
    """A repair that AWS has asked to slow down."""
    tenant = Tenant.objects.get(name="Redwood District")
    operation = services.start_repair(actor=MARTIN, tenant_id=tenant.pk, reason="Drift report of this morning names the secret")
    world.next_for("secret", raising(SlowError("Rate exceeded")))
    engine.run(operation.pk)
    return _tenant(operation)


def age() -> None:
    """Let the tenants have come over the last months, so that times differ."""
    for number, tenant in enumerate(Tenant.objects.order_by("pk")):
        born = timezone.now() - timedelta(days=130 - number * 5, hours=number * 3)
        Tenant.objects.filter(pk=tenant.pk).update(created_at=born, state_changed_at=born + timedelta(seconds=41))
        for operation in Operation.objects.filter(tenant=tenant):
            Operation.objects.filter(pk=operation.pk).update(
                created_at=born, started_at=born + timedelta(seconds=1), finished_at=born + timedelta(seconds=41)
            )
            _age_steps(operation, born + timedelta(seconds=1))
    Operation.objects.filter(tenant=None).update(created_at=timezone.now() - timedelta(days=140))


def _age_steps(operation: Operation, moment: Any) -> None:
    for step in operation.steps.all():
        took = timedelta(milliseconds=280 + len(step.kind) * 37 + (31_000 if step.kind == "stack" else 0))
        request_id = f"{step.pk[-8:]}-91b2-4c1d-8e0f-{operation.pk[-12:]}"
        Step.objects.filter(pk=step.pk).update(started_at=moment, finished_at=moment + took, aws_request_id=request_id, aws_calls=3)
        moment += took


def _tenant(operation: Operation) -> Tenant:
    return Tenant.objects.select_related("tier", "cell").get(pk=operation.tenant_id)
