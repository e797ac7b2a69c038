"""Reading the outbox: what is on its way, what is stuck, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet

from core.outbox.dispatch import waiting
from core.outbox.models import Delivery, DeliveryState, OutboxEvent
from core.outbox.registry import consumers


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the outbox in numbers.

    ``undispatched`` events wait for the relay, ``pending`` deliveries for their consumer, ``dead`` ones for an operator;
    ``orphaned`` pending ones are for consumers that this release does not have. ``oldest_pending_at`` is when the oldest pending
    event happened.
    """

    undispatched: int
    pending: int
    dead: int
    orphaned: int
    oldest_pending_at: datetime | None


def get_health() -> Health:
    """Count what is open."""
    open_ = Delivery.objects.filter(state__in=[DeliveryState.PENDING, DeliveryState.DEAD])
    counts = {
        (row["consumer"], row["state"]): row["n"] for row in open_.values("consumer", "state").annotate(n=Count("pk")).order_by()
    }
    pending = {name: n for (name, state), n in counts.items() if state == DeliveryState.PENDING}
    oldest = Delivery.objects.filter(state=DeliveryState.PENDING).order_by("sequence").select_related("event").first()
    return Health(
        undispatched=waiting().count(),
        pending=sum(pending.values()),
        dead=sum(n for (_, state), n in counts.items() if state == DeliveryState.DEAD),
        orphaned=sum(n for name, n in pending.items() if name not in consumers()),
        oldest_pending_at=oldest.event.occurred_at if oldest else None,
    )


def list_deliveries(*, state: str = "", consumer: str = "", tenant_id: str | None = None) -> QuerySet[Delivery]:
    """Deliveries with their events, newest first; each filter that is given narrows."""
    deliveries = Delivery.objects.select_related("event").order_by("-sequence", "consumer")
    if tenant_id is not None:
        deliveries = deliveries.filter(stream=tenant_id)
    return deliveries.filter(**{name: value for name, value in {"state": state, "consumer": consumer}.items() if value})


def list_events(*, tenant_id: str | None = None, type: str = "", before: int | None = None) -> QuerySet[OutboxEvent]:
    """Events, newest first. ``before`` is the ``position`` of the last event of the page before."""
    events = OutboxEvent.objects.order_by("-position")
    given = {"tenant_id": tenant_id, "type": type or None, "position__lt": before}
    return events.filter(**{name: value for name, value in given.items() if value is not None})
