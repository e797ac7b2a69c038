"""Tell the workers that an operation may be due. The message carries the id and nothing else, and may be lost.

The broker is never asked inside a transaction, and its absence is never an error of the caller: the sweep rings again.
"""

from __future__ import annotations

import logging
from functools import partial

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

RUN_TASK = "provisioning.tasks.run"
EXPIRES_SECONDS = 120


def ring(operation_id: str, *, delay_seconds: float = 0) -> None:
    """Send the message now. A broker that does not answer costs a log line."""
    try:
        current_app.send_task(
            RUN_TASK, args=[operation_id], countdown=delay_seconds or None, expires=delay_seconds + EXPIRES_SECONDS, retry=False
        )
    except Exception:  # noqa: BLE001  (whatever the broker's client raises: the row is written, and the sweep will find it)
        logger.warning("the broker did not take the message; the sweep will ring again", extra={"operation": operation_id})


def ring_on_commit(operation_id: str, *, delay_seconds: float = 0) -> None:
    """Send the message once the surrounding transaction has committed."""
    transaction.on_commit(partial(ring, operation_id, delay_seconds=delay_seconds))
