"""Dispatch: giving committed events their sequence, and each interested consumer its delivery.

One dispatcher at a time, in a transaction of its own; lock order: the head row, nothing else. A dispatcher that finds the lock
taken leaves, because the holder looks again after it let go.
"""

from __future__ import annotations

from django.db import connection, models, transaction
from django.utils import timezone

from core.outbox.models import Delivery, OutboxEvent, OutboxHead
from core.outbox.registry import consumers

BATCH = 500
ROUNDS = 200


def waiting() -> models.QuerySet[OutboxEvent]:
    """Committed events without a sequence, oldest first."""
    return OutboxEvent.objects.filter(sequence__isnull=True).order_by("position")


def dispatch() -> int:
    """Dispatch all that is committed; gives how many events. Safe to run anywhere and concurrently."""
    total = 0
    for _ in range(ROUNDS):
        if not waiting().exists():
            break
        count = _dispatch_batch()
        if count is None:
            break
        total += count
    return total


def _dispatch_batch() -> int | None:
    with transaction.atomic():
        head = _lock_head()
        if head is None:
            return None
        events = list(waiting()[:BATCH])
        now = timezone.now()
        deliveries = []
        for event in events:
            head.sequence += 1
            event.sequence = head.sequence
            deliveries += [
                Delivery(event=event, consumer=consumer.name, stream=event.tenant_id or "", sequence=event.sequence, due_at=now)
                for consumer in consumers().values()
                if consumer.wants(event.type)
            ]
        OutboxEvent.objects.bulk_update(events, ["sequence"], batch_size=100)
        Delivery.objects.bulk_create(deliveries, batch_size=500)
        head.save(update_fields=["sequence"])
    return len(events)


def _lock_head() -> OutboxHead | None:
    """The head row, locked; None when another dispatcher has it. SQLite has no row locks: its IMMEDIATE transaction waits instead."""
    skips = connection.features.has_select_for_update_skip_locked
    head = OutboxHead.objects.select_for_update(skip_locked=skips).first()
    if head is None and not OutboxHead.objects.exists():
        OutboxHead.objects.bulk_create([OutboxHead()], ignore_conflicts=True)
        head = OutboxHead.objects.select_for_update(skip_locked=skips).first()
    return head
