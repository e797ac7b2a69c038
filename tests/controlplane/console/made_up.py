"""A console full of made-up, plausible organisations: for the browser's tests and for pictures. Every row comes from the services."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.db.models import F

from core.actors import Actor, operator
from core.errors import DomainError
from provisioning import engine, services
from provisioning.models import Operation, Resource
from provisioning.resources.base import Wait
from tenants.members.models import Member
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
    ("Osaka Language Centre", "basic"),
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
    """Fill the database with half a year; gives the tenants that stories are told about, by role."""
    now = datetime.now(UTC)
    with time_machine.travel(now - timedelta(days=140), tick=True) as clock:

        def go_to(days_ago: float) -> None:
            clock.move_to(now - timedelta(days=days_ago))

        world.clock = clock.shift
        try:
            return _live(world, go_to)
        finally:
            world.clock = None


def _live(world: PretendAws, go_to: Callable[[float], None]) -> dict[str, Tenant]:
    prepare(ready_cell("eu-prod-1", quotas=QUOTAS), world)
    ready_cell("us-prod-1", region="us-east-1", account_id="210987654321", quotas={"user_pools": 1_000, "roles": 1_000})
    for number, (name, tier) in enumerate(ORGANISATIONS):
        go_to(130 - 5.5 * number)
        finish(ask(name, tier, BILLING))
    by_name = {tenant.name: tenant for tenant in Tenant.objects.all()}
    came_at = F("invited_at")
    Member.objects.exclude(tenant=by_name["Polytechnic of Arden"]).update(
        state="active", joined_at=came_at, last_signed_in_at=came_at, last_seen_at=came_at
    )
    suspended, leaving = by_name["Lumen Tutors"], by_name["Studio Nine"]
    moved, drifted = by_name["Polytechnic of Arden"], by_name["Meridian Health Education"]
    go_to(3.2)
    finish(
        services.start_suspend(actor=MARTIN, tenant_id=suspended.pk, reason="Invoice 2291 is 60 days overdue; agreed with finance")
    )
    go_to(1.1)
    finish(
        services.start_offboard(actor=MARTIN, tenant_id=leaving.pk, reason="Contract ended on 20 November", grace=timedelta(days=3))
    )
    go_to(0.2)
    finish(
        services.start_change_tier(actor=ADA, tenant_id=moved.pk, tier_code="premium", reason="Contract CT-118 upgrades to premium")
    )
    Resource.objects.filter(tenant=drifted, kind="secret").update(state="drifted", differences=["the resource policy is gone"])
    go_to(0.02)
    failed = fail(world)
    go_to(0.003)
    waiting = wait(world)
    go_to(0.0009)
    running = run_half(world)
    return {"suspended": suspended, "leaving": leaving, "moved": moved, "failed": failed, "running": running, "waiting": waiting}


def prepare(cell: Cell, world: PretendAws) -> None:
    """Make what the cell's tenants share."""
    finish(services.start_repair_cell(actor=ADA, cell_code=cell.code, reason="First preparation"))


def fail(world: PretendAws) -> Tenant:
    """An onboarding that AWS refuses halfway."""
    text = "User: arn:aws:sts::123456789012:assumed-role/provisioner/tnt-brightwater is not authorized to perform: iam:CreateRole"
    world.next_for("access_role", raising(RefusedError(text)))
    operation = ask("Brightwater Logistics", "standard", ADA, "Contract CT-204, signed on 12 November")
    engine.run(operation.pk)
    return _tenant(operation)


def run_half(world: PretendAws) -> Tenant:
    """An onboarding that a worker is in the middle of."""
    operation = ask("Cobalt Analytics", "premium", ADA, "Contract CT-209, goes live on Monday")
    world.next_for("stack", lambda: Wait(20, "CloudFormation is making the stack"))
    engine.run(operation.pk)
    return _tenant(operation)


def wait(world: PretendAws) -> Tenant:
    """A repair that AWS has asked to slow down."""
    tenant = Tenant.objects.get(name="Redwood District")
    operation = services.start_repair(actor=MARTIN, tenant_id=tenant.pk, reason="Drift report of this morning names the secret")
    world.next_for("secret", raising(SlowError("Rate exceeded")))
    engine.run(operation.pk)
    return _tenant(operation)


def _tenant(operation: Operation) -> Tenant:
    return Tenant.objects.select_related("tier", "cell").get(pk=operation.tenant_id)
