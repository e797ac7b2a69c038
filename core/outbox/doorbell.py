"""The doorbell: a Celery message that carries a tenant's id or nothing. Losing it loses nothing, the sweep rings again."""

from __future__ import annotations

import logging
import time

from celery import current_app

log = logging.getLogger("core.outbox")
RELAY_TASK = "core.outbox.tasks.relay"
QUIET_SECONDS = 5.0  # after a failed ring nobody rings for so long: a dead broker must not cost every commit its connect time-out
EXPIRES_SECONDS = 120


class _Quiet:
    """When this process may ring again, on the monotonic clock."""

    until = 0.0


def ring(tenant_id: str | None) -> bool:
    """Tell a worker that there is something to relay. Never raises; False when nobody could be told."""
    if time.monotonic() < _Quiet.until:
        return False
    try:
        current_app.send_task(RELAY_TASK, kwargs={"tenant_id": tenant_id}, retry=False, ignore_result=True, expires=EXPIRES_SECONDS)
    except Exception as error:  # noqa: BLE001  # whatever the broker's client raises: the event is written, and the sweep will find it
        _Quiet.until = time.monotonic() + QUIET_SECONDS
        log.warning("the relay could not be rung; the sweep will", extra={"error": type(error).__name__})
        return False
    return True
