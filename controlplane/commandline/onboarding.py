"""Onboarding a file's rows: ask for each, watch the operations, and say what became of every row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from controlplane.commandline.rows import Row
from core.actors import Actor
from core.errors import DomainError
from provisioning.models import ACTIVE_STATES, Operation, OperationState
from provisioning.services import start_onboard

POLL_SECONDS = 0.5


@dataclass(slots=True)
class Outcome:
    """What became of one row: ``onboarded``, ``failed``, ``refused`` (with column and reason), or ``pending`` when nobody waited."""

    line: int
    slug: str
    outcome: str
    tenant: str = ""
    operation: str = ""
    column: str = ""
    reason: str = ""


def ask_for(rows: Iterable[Row], *, actor: Actor, told: Callable[[], object] = lambda: None) -> list[Outcome]:
    """Start the onboarding of every row that can be; ``told`` is called after each. Running it again starts nothing twice."""
    outcomes = []
    for row in rows:
        outcomes.append(_ask(row, actor))
        told()
    return outcomes


def _ask(row: Row, actor: Actor) -> Outcome:
    slug = row.values.get("slug", "")
    if row.error is not None:
        return Outcome(row.line, slug, "refused", column=row.error.pointer.strip("/"), reason=row.error.detail)
    try:
        operation = start_onboard(
            actor=actor,
            reference=f"file:{row.values.get('reference') or slug}"[:200],
            slug=slug,
            name=row.values["name"],
            tier_code=row.values["tier"],
            cell_code=row.values.get("cell", ""),
            admin_email=row.values["admin_email"],
            admin_name=row.values.get("admin_name", ""),
            reason="onboarded from a file",
        )
    except DomainError as error:
        column = ", ".join(field.pointer.strip("/") for field in error.errors)
        return Outcome(row.line, slug, "refused", column=column, reason=error.detail)
    return Outcome(row.line, slug, "pending", tenant=operation.tenant_id or "", operation=operation.pk)


def watch(
    outcomes: Sequence[Outcome],
    *,
    timeout_seconds: float,
    told: Callable[[int], object] = lambda done: None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until every operation has ended or the time is up, and write into the outcomes how. ``told`` gets the number ended."""
    open_outcomes = {outcome.operation: outcome for outcome in outcomes if outcome.operation}
    total = len(open_outcomes)
    deadline = time.monotonic() + timeout_seconds
    while open_outcomes:
        ended = Operation.objects.filter(pk__in=list(open_outcomes)).exclude(state__in=ACTIVE_STATES)
        for operation in ended:
            _close(open_outcomes.pop(operation.pk), operation)
        told(total - len(open_outcomes))
        if not open_outcomes or time.monotonic() > deadline:
            return
        pause(POLL_SECONDS)


def _close(outcome: Outcome, operation: Operation) -> None:
    if operation.state == OperationState.SUCCEEDED:
        outcome.outcome = "onboarded"
        return
    outcome.outcome = str(operation.state)
    outcome.reason = f"{operation.error_code}: {operation.error_detail}"
