"""Audit events as pages show them: who did what to whom, with tenants by their names. Three queries, however many events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controlplane.console import people, words
from core.audit.models import AuditEvent
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event in words. ``subject`` is the tenant's name where there is a tenant, else the target."""

    pk: int
    what: str
    subject: str
    tenant_id: str
    who: str
    reason: str
    outcome: str
    recorded_at: datetime


def lines_of(events: Iterable[AuditEvent]) -> list[EventLine]:
    """Turn events into lines."""
    rows = list(events)
    wanted = {row.tenant_id for row in rows if row.tenant_id}
    names = dict(Tenant.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}
    actors = people.names_of(str(row.actor) for row in rows)
    return [_line(row, names, actors) for row in rows]


def _line(row: AuditEvent, names: dict[str, str], actors: Mapping[str, str]) -> EventLine:
    kind = row.details.get("kind", "")
    what = words.plain(row.action).replace(".", " ").capitalize()
    if row.action.startswith("operation.") and kind:
        what = f"{words.operation_of(str(kind))}: {row.action.partition('.')[2]}"
    return EventLine(
        pk=row.position,
        what=what,
        subject=names.get(row.tenant_id or "", "") or _without_prefix(row.target),
        tenant_id=row.tenant_id or "",
        who=row.actor_label or actors[str(row.actor)],
        reason=row.reason,
        outcome=row.outcome,
        recorded_at=row.recorded_at,
    )


def _without_prefix(target: str) -> str:
    return target.partition(":")[2] or target
