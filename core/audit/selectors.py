"""Reading the audit log."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from core.audit.models import AuditEvent, Noun
from core.errors import NotFoundError


def list_events(
    *,
    tenant_id: str | None = None,
    action: str = "",
    actor_kind: str = "",
    actor: str = "",
    target: str = "",
    outcome: str = "",
    correlation_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
) -> QuerySet[AuditEvent]:
    """Events, newest first; each filter that is given narrows. Slice it: a page is one query.

    ``action`` may end in ``.`` or ``.*`` to mean all of a noun (``key.*``). ``actor`` is an actor's id or ``kind:id``. ``since`` is
    inclusive, ``until`` exclusive. ``before`` is the ``position`` of the last event of the page before. A tenant's own door passes
    ``tenant_id``: it then sees no other's.
    """
    events = AuditEvent.objects.order_by("-position")
    if tenant_id is not None:
        events = events.filter(tenant_id=tenant_id)
    if action.endswith((".", ".*")):
        start = action.removesuffix("*")
        noun, _, more = start.partition(".")
        events = events.filter(action__startswith=start) if more else events.alias(noun=Noun("action")).filter(noun=noun)
    elif action:
        events = events.filter(action=action)
    kind, separator, identity = actor.partition(":")
    if separator:
        actor_kind, actor = kind, identity
    exact = {"actor_kind": actor_kind, "actor_id": actor, "target": target, "outcome": outcome, "correlation_id": correlation_id}
    events = events.filter(**{name: value for name, value in exact.items() if value})
    times = {"recorded_at__gte": since, "recorded_at__lt": until, "position__lt": before}
    return events.filter(**{name: value for name, value in times.items() if value is not None})


def get_event(public_id: str, *, tenant_id: str | None = None) -> AuditEvent:
    """One event; raises NotFoundError, also for another tenant's when ``tenant_id`` is given."""
    events = AuditEvent.objects.filter(public_id=public_id)
    event = (events if tenant_id is None else events.filter(tenant_id=tenant_id)).first()
    if event is None:
        raise NotFoundError(f"There is no audit event {public_id}.")
    return event
