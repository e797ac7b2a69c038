"""What the clock starts."""

from __future__ import annotations

from celery import shared_task

from controlplane.api.idempotency import purge_expired


@shared_task(name="controlplane.api.tasks.purge_answers")
def purge_answers() -> int:
    """Forget answers whose day is over; gives how many."""
    return purge_expired()
