"""Publishing a domain event, and what an operator does about one that no consumer could take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.actors import Actor
from core.audit.services import record
from core.outbox.doorbell import ring_on_commit
from core.outbox.models import Delivery, DeliveryState, OutboxEvent
from core.outbox.prompt import tell_on_commit
from core.transitions import change_state

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def publish(*, type: str, subject: str, tenant_id: str | None, data: Mapping[str, Any]) -> OutboxEvent:
    """Write an event into the caller's transaction and ring the relay when it commits.

    ``type`` is ``noun.participle``, ``subject`` the public id of what it happened to, ``data`` JSON without secrets. It takes no
    lock that another transaction could wait for, and no trouble with the broker ever reaches the caller. Consumers get the events
    of a tenant in an order in which they can have committed: an event published by a transaction that began after another's commit
    comes later. Raises TransactionManagementError outside a transaction, ValueError for a malformed type or subject.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("An event belongs into the transaction that makes it true.")
    if not _TYPE.fullmatch(type) or len(type) > 100:
        raise ValueError(f"not an event type: {type!r}")
    if not subject or len(subject) > 255:
        raise ValueError("an event's subject has 1 to 255 characters")
    event = OutboxEvent.objects.create(
        type=type, subject=subject, tenant_id=tenant_id or None, data=dict(data), occurred_at=timezone.now()
    )
    tell_on_commit(event)
    ring_on_commit(event.tenant_id)
    return event


def redrive(*, delivery: Delivery, actor: Actor, reason: str) -> None:
    """Give a dead delivery its whole budget again, from now. Raises IllegalTransitionError when it is not dead."""
    with transaction.atomic():
        change_state(
            delivery,
            to=DeliveryState.PENDING,
            sources=[DeliveryState.DEAD],
            attempts=0,
            due_at=timezone.now(),
            leased_until=None,
            finished_at=None,
        )
        _record(delivery, "delivery.redriven", actor, reason)
        ring_on_commit(delivery.stream or None)


def discard(*, delivery: Delivery, actor: Actor, reason: str) -> None:
    """Decide that a consumer does without an event, so that the tenant's later ones go on. Raises IllegalTransitionError when it is not dead."""
    with transaction.atomic():
        change_state(delivery, to=DeliveryState.DISCARDED, sources=[DeliveryState.DEAD], finished_at=timezone.now())
        _record(delivery, "delivery.discarded", actor, reason)
        ring_on_commit(delivery.stream or None)


def _record(delivery: Delivery, action: str, actor: Actor, reason: str) -> None:
    record(
        action=action,
        actor=actor,
        target=delivery.event.public_id,
        tenant_id=delivery.event.tenant_id,
        reason=reason,
        details={"consumer": delivery.consumer, "type": delivery.event.type, "last_error": delivery.last_error},
    )
