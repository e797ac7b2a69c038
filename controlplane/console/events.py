"""Audit events as pages show them: who did what to whom, with tenants by their names. Three queries, however many events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controlplane.console import people, words
from core.audit.models import AuditEvent
from tenants.models import Tenant

ACTIONS = {
    "operator.signed_in": "Signed in",
    "operator.signed_out": "Signed out",
    "operator.enrolled": "Set up an authenticator",
    "operator.password_changed": "Changed their password",
    "key.store_lost": "Key lost from the store",
    "key.version_retired": "Key's version retired",
}


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
    return EventLine(
        pk=row.position,
        what=_what(row),
        subject=names.get(row.tenant_id or "", "") or _subject(row),
        tenant_id=row.tenant_id or "",
        who=row.actor_label or actors[str(row.actor)],
        reason=row.reason,
        outcome=row.outcome,
        recorded_at=row.recorded_at,
    )


def _what(row: AuditEvent) -> str:
    noun, _, participle = row.action.partition(".")
    details = row.details
    if row.action == "operator.refused":
        return f"Sign-in refused: {details.get('why', '')}"
    if noun == "operation" and details.get("kind"):
        return f"{words.operation_of(str(details['kind']))}: {words.plain(participle)}"
    what = ACTIONS.get(row.action) or f"{words.plain(noun).capitalize()} {words.plain(participle)}"
    return f"{what}: {details['name']}" if noun == "key" and details.get("name") else what


def _subject(row: AuditEvent) -> str:
    """Give the target; nothing where it is the actor, or an operation that the words already name."""
    kind, _, name = row.target.rpartition(":")
    if (kind and name == row.actor_id) or row.action.startswith("operation."):
        return ""
    return name
