"""Tell the workers that an operation may be due. The message carries the id and nothing else, and may be lost.

The broker is never asked inside a transaction, and its absence is never an error of the caller: the sweep rings again.
"""

from __future__ import annotations

from functools import partial

from django.db import transaction

from core.outbox import doorbell

RUN_TASK = "provisioning.tasks.run"
EXPIRES_SECONDS = 120


def ring(operation_id: str, *, delay_seconds: float = 0) -> None:
    """Send the message now, at once or not at all. Never raises."""
    doorbell.send(RUN_TASK, args=[operation_id], countdown=delay_seconds or None, expires=delay_seconds + EXPIRES_SECONDS)


def ring_on_commit(operation_id: str, *, delay_seconds: float = 0) -> None:
    """Send the message once the surrounding transaction has committed."""
    transaction.on_commit(partial(ring, operation_id, delay_seconds=delay_seconds))
