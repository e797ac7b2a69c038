"""What an act would do in AWS, shown before an operator confirms it: the planner's own steps, grouped by what becomes of each resource.

Nothing is written. The plan is the one that the service will make a moment later; ``fingerprint`` tells when it is not, because something
changed between the look and the click.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controlplane.console import words
from provisioning.desired import desired_of_tenant
from provisioning.models import Operation, OperationKind, ResourceState
from provisioning.operations import goal_of, plan_for
from provisioning.plan import ENSURE, RETAIN, PlannedStep, plan
from provisioning.resources.base import fingerprint_of
from provisioning.selectors import list_resources
from tenants.facts import TenantFacts
from tenants.lifecycle import TenantState
from tenants.models import Cell, Tenant, Tier
from tenants.selectors import facts_of_cell, facts_of_tier

GROUPS = {
    "made": ("Made", "good", "add_circle"),
    "again": ("Taken up again", "good", "undo"),
    "changed": ("Corrected or remade", "busy", "change_circle"),
    "read": ("Read back, and corrected if it differs", "quiet", "visibility"),
    "removed": ("Removed", "bad", "remove_circle"),
    "retained": ("Kept, because it holds data", "warn", "lock"),
}
SAMPLE_ID = "tnt_" + "0" * 26


@dataclass(frozen=True, slots=True)
class Item:
    """One resource in a group: what it is, and why it is there where the group's title does not say so."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """Resources with the same fate."""

    key: str
    title: str
    tone: str
    icon: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan in words. ``heading`` says when it happens, where an act has two parts."""

    groups: tuple[Group, ...]
    fingerprint: str
    heading: str = ""
    empty: str = "Nothing has to change in AWS."
    """What is said where there is nothing in it."""
    is_summed: bool = True
    """Whether its groups are counted above them."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.groups

    @property
    def summary(self) -> str:
        """The numbers in one line: *4 made, 1 removed, 2 kept*."""
        return ", ".join(f"{len(group.items)} {group.title.split(',')[0].lower()}" for group in self.groups)


def _preview(steps: Iterable[PlannedStep], recorded: Mapping[tuple[str, str], str], heading: str = "") -> Preview:
    planned = tuple(steps)
    items: dict[str, list[Item]] = {key: [] for key in GROUPS}
    for step in planned:
        fate = _fate(step, recorded)
        items[fate].append(Item(words.resource_of(step.kind, step.name), words.why_of(step.why) if fate == "changed" else ""))
    groups = tuple(Group(key, *GROUPS[key], tuple(found)) for key, found in items.items() if found)
    content = [[step.action, step.kind, step.name, fingerprint_of(step.spec)] for step in planned]
    return Preview(groups, hashlib.sha256(json.dumps(content).encode()).hexdigest(), heading)


def _fate(step: PlannedStep, recorded: Mapping[tuple[str, str], str]) -> str:
    if step.action != ENSURE:
        return "retained" if step.action == RETAIN else "removed"
    state = recorded.get((step.kind, step.name))
    if state is None:
        return "made"
    if state == ResourceState.RETAINED:
        return "again"
    return "read" if step.why.startswith("read back") else "changed"


def _recorded(tenant: Tenant | None, cell: Cell | None) -> dict[tuple[str, str], str]:
    rows = list_resources(tenant_id=tenant.pk if tenant else None, cell_id=cell.pk if cell else None)
    return {(kind, name): state for kind, name, state in rows.values_list("kind", "name", "state")}


def of_tenant(kind: OperationKind, tenant: Tenant, *, goal: str = "", heading: str = "") -> Preview:
    """Preview an operation of this kind towards ``goal`` (the tenant's own state when empty)."""
    return _preview(plan_for(kind, tenant=tenant, goal=goal), _recorded(tenant, None), heading)


def of_tier_change(tenant: Tenant, tier: Tier) -> Preview:
    """Preview a move to another tier; the row is not touched."""
    moved = Tenant.from_db(None, *_fields(tenant))
    moved.cell, moved.tier = tenant.cell, tier
    return of_tenant(OperationKind.CHANGE_TIER, moved, goal=tenant.state)


def _fields(tenant: Tenant) -> tuple[list[str], list[object]]:
    names = [field.attname for field in Tenant._meta.concrete_fields]
    return names, [getattr(tenant, name) for name in names]


def of_cell(kind: OperationKind, cell: Cell) -> Preview:
    """Preview an operation on what a cell shares."""
    return _preview(plan_for(kind, cell=cell), _recorded(None, cell))


def of_onboarding(tier: Tier, cell: Cell) -> Preview:
    """Preview what a new tenant of this tier would get in this cell."""
    facts = TenantFacts(
        id=SAMPLE_ID,
        slug="new",
        name="new",
        state=TenantState.ACTIVE,
        tier=facts_of_tier(tier),
        cell=facts_of_cell(cell),
        admin_email="new@example.com",
    )
    return _preview(plan(desired_of_tenant(facts), ()), {})


def of_retry(operation: Operation) -> Preview:
    """Preview what is left to do of a failed operation, planned anew from the ledger."""
    goal = str(operation.target.get("state", ""))
    steps = plan_for(OperationKind(operation.kind), tenant=operation.tenant, cell=operation.cell, goal=goal)
    return _preview(steps, _recorded(operation.tenant, operation.cell))


def of_abandon(operation: Operation) -> Preview:
    """Preview the way back: to absent for an onboarding, to the tier before for a change of tier, else to the tenant's present state."""
    tenant, cell = operation.tenant, operation.cell
    if tenant is None:
        assert cell is not None
        kind = OperationKind.REPAIR if cell.state == "ready" else OperationKind.ABANDON
        return of_cell(kind, cell)
    if operation.kind == OperationKind.ONBOARD:
        return of_tenant(OperationKind.ABANDON, tenant)
    if operation.kind == OperationKind.CHANGE_TIER:
        before = Tier.objects.get(pk=operation.target["from"])
        moved = Tenant.from_db(None, *_fields(tenant))
        moved.cell, moved.tier = tenant.cell, before
        return of_tenant(OperationKind.REPAIR, moved, goal=goal_of(tenant))
    return of_tenant(OperationKind.REPAIR, tenant, goal=goal_of(tenant))


def with_heading(preview: Preview, heading: str) -> Preview:
    """Give the same preview under a heading."""
    return replace(preview, heading=heading)
