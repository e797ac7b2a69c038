"""Forgetting events that every consumer has had."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from core.outbox.models import Delivery, DeliveryState, OutboxEvent

RETENTION_DAYS = 14
BATCH = 1_000


def prune(*, days: int | None = None) -> int:
    """Delete events older than ``days`` (``settings.OUTBOX_RETENTION_DAYS``, 14) with their deliveries; gives how many events.

    An event that is not dispatched, or pending or dead with any consumer, stays however old it is. Works in batches of 1,000, each
    a transaction of its own. The audit log is where history is kept.
    """
    kept = days if days is not None else int(getattr(settings, "OUTBOX_RETENTION_DAYS", RETENTION_DAYS))
    cutoff = timezone.now() - timedelta(days=kept)
    still_open = Delivery.objects.filter(event=OuterRef("pk"), state__in=[DeliveryState.PENDING, DeliveryState.DEAD])
    done = OutboxEvent.objects.filter(sequence__isnull=False, occurred_at__lt=cutoff).exclude(Exists(still_open))
    total = 0
    while batch := list(done.order_by("position").values_list("pk", flat=True)[:BATCH]):
        # What is delivered or discarded never opens again, so nothing in the batch can have become open since it was read.
        OutboxEvent.objects.filter(pk__in=batch).delete()
        total += len(batch)
    return total
