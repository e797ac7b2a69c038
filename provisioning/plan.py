"""From what should be and what is recorded, the ordered steps. Pure.

Ensures come first, dependencies before what stands on them; then what is surplus goes, in the reverse order. What holds data is not
removed when a tenant merely changes its shape: it is *retained*, still tagged, and goes with the offboarding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provisioning.resources import KINDS
from provisioning.resources.base import Desired, ResourceKind

ENSURE, REMOVE, RETAIN = "ensure", "remove", "retain"
STANDS_ON_NEW = "stands on something that is being made anew"
PRESENT, RETAINED, ABSENT = "present", "retained", "absent"


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger row, as the planner sees it."""

    kind: str
    name: str
    state: str
    fingerprint: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One resource to be ensured, removed or retained; ``why`` is said to operators before they confirm."""

    action: str
    kind: str
    name: str
    spec: Mapping[str, Any]
    why: str


def plan(
    desired: Iterable[Desired], ledger: Iterable[Entry], *, check_all: bool = False, destroy: bool = False
) -> tuple[PlannedStep, ...]:
    """Order the steps that lead from ``ledger`` to ``desired``.

    ``check_all`` ensures also what the ledger believes to be present: that is a repair. ``destroy`` removes what holds data as well: that
    is an offboarding. A resource is ensured when it is not present, when its spec differs, or when something it stands on is being
    remade; a plan for a converged tenant is empty.
    """
    wanted = tuple(desired)
    recorded = {(entry.kind, entry.name): entry for entry in ledger}
    names = {(item.kind, item.name) for item in wanted}
    ensures = _ensures(wanted, recorded, check_all=check_all)
    surplus = [entry for key, entry in recorded.items() if key not in names and entry.state != ABSENT]
    return (*ensures, *_removals(surplus, destroy=destroy))


def _ensures(wanted: Iterable[Desired], recorded: Mapping[tuple[str, str], Entry], *, check_all: bool) -> list[PlannedStep]:
    steps: list[PlannedStep] = []
    remade: set[str] = set()
    for item in wanted:
        entry = recorded.get((item.kind, item.name))
        why = _why_ensure(item, entry, remade)
        if why is not None and (entry is None or entry.state != PRESENT or why == STANDS_ON_NEW):
            remade.add(item.kind)
        if why is None and check_all:
            why = "read back and correct if it differs"
        if why is not None:
            steps.append(PlannedStep(ENSURE, item.kind, item.name, item.spec, why))
    return steps


def _why_ensure(item: Desired, entry: Entry | None, remade: Collection[str]) -> str | None:
    if entry is None or entry.state == ABSENT:
        return "does not exist yet"
    if entry.state == RETAINED:
        return "was retained and is wanted again"
    if entry.state != PRESENT:
        return f"is recorded as {entry.state}"
    if entry.fingerprint != item.fingerprint:
        return "should look different"
    if any(kind in remade for kind in KINDS[item.kind].DEPENDS_ON):
        return STANDS_ON_NEW
    return None


def _removals(surplus: Iterable[Entry], *, destroy: bool) -> list[PlannedStep]:
    order = {kind: position for position, kind in enumerate(KINDS)}
    steps = []
    for entry in sorted(surplus, key=lambda entry: (order.get(entry.kind, -1), entry.name), reverse=True):
        kind: ResourceKind = KINDS[entry.kind]
        if kind.HOLDS_DATA and not destroy:
            if entry.state != RETAINED:
                steps.append(PlannedStep(RETAIN, entry.kind, entry.name, entry.spec, "holds data: kept until offboarding"))
            continue
        steps.append(PlannedStep(REMOVE, entry.kind, entry.name, entry.spec, "is no longer wanted"))
    return steps
