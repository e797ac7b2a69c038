"""What workers and the beat do for the outbox. Each may run any number of times, at once and again."""

from __future__ import annotations

from celery import shared_task

from core.outbox.relay import relay as relay_now
from core.outbox.retention import prune as prune_now


@shared_task(name="core.outbox.tasks.relay")
def relay(tenant_id: str | None = None) -> int:
    """Deliver what is due: of one tenant when a commit rang, of all when the sweep did."""
    return relay_now(tenant_id=tenant_id)


@shared_task(name="core.outbox.tasks.prune")
def prune() -> int:
    """Forget what every consumer has had for long enough."""
    return prune_now()
