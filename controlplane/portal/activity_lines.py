"""Entries of the tenant's log as pages show them: who did what, why, and how it ended. One query, however many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controlplane.portal import activity_words, key_people
from core.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class EventLine:
    """One entry in words. ``number`` is its place in the tenant's chain, None until it is sealed; ``key_id`` is there for acts on keys."""

    id: str
    number: int | None
    recorded_at: datetime
    what: str
    particulars: str
    kind: str
    who: str
    reason: str
    outcome: str
    key_id: str


def lines_of(tenant_id: str, events: Iterable[AuditEvent]) -> list[EventLine]:
    """Turn entries of one tenant into lines."""
    rows = list(events)
    names = key_people.names_of(tenant_id, (str(row.actor) for row in rows if not row.actor_label))
    return [_line(row, names.get(str(row.actor)) or key_people.words_of(row.actor, {})) for row in rows]


def _line(row: AuditEvent, who: str) -> EventLine:
    details = row.details
    return EventLine(
        id=row.public_id,
        number=row.tenant_sequence,
        recorded_at=row.recorded_at,
        what=activity_words.what(row.action, details),
        particulars=activity_words.particulars(details),
        kind=row.actor_kind,
        who=who,
        reason=row.reason,
        outcome=row.outcome,
        key_id=row.target if row.target.startswith("key_") else "",
    )
