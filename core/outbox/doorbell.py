"""The doorbell: a Celery message that carries a tenant's id or nothing. Losing it loses nothing, the sweep rings again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.pools import ProducerPool, producers

log = logging.getLogger("core.outbox")
RELAY_TASK = "core.outbox.tasks.relay"
EXPIRES_SECONDS = 120
# kombu connects inside a publish, retry or no retry, and by default would sleep there for six seconds, which is in the caller's commit.
# These options are for ringing alone: a worker with the same "max_retries" does not survive a restart of its broker.
IMPATIENT: Mapping[str, Any] = {"max_retries": 0, "socket_connect_timeout": 1, "socket_timeout": 2}
# After a failed ring this process does not ring for so long, and longer the longer the failure took: a broker that is dead or frozen
# must not cost every commit its time-out.
QUIET_SECONDS = 5.0
QUIET_FACTOR = 4.0


class _Quiet:
    """When this process may ring again, on the monotonic clock."""

    until = 0.0


def ring(tenant_id: str | None) -> bool:
    """Tell a worker that there is something to relay. Never raises; False when nobody could be told."""
    return send(RELAY_TASK, kwargs={"tenant_id": tenant_id}, expires=EXPIRES_SECONDS)


class _Rung(threading.local):
    """For whom this thread last rang after a commit, and when, on the monotonic clock."""

    tenant_id: str | None = None
    at = 0.0


_rung = _Rung()


def ring_on_commit(tenant_id: str | None) -> None:
    """Ring once the surrounding transaction has committed, once for all events of the tenant that it holds."""
    transaction.on_commit(partial(_ring_unless_rung_since, time.monotonic(), tenant_id), robust=True)


def _ring_unless_rung_since(asked_at: float, tenant_id: str | None) -> None:
    # Whatever this thread rang for after we were asked, it rang for after the very commit that we waited for.
    if _rung.tenant_id == tenant_id and _rung.at > asked_at:
        return
    ring(tenant_id)
    _rung.tenant_id, _rung.at = tenant_id, time.monotonic()


def send(task: str, **options: Any) -> bool:
    """Send any task's message as a doorbell: with ``send_task``'s options, at once or not at all. Never raises."""
    started = time.monotonic()
    if started < _Quiet.until:
        return False
    try:
        with _producers().acquire(block=True, timeout=1) as producer:
            current_app.send_task(task, producer=producer, retry=False, ignore_result=True, **options)
    except Exception as error:  # noqa: BLE001  # whatever the broker's client raises: the rows are written, and the sweep will find them
        ended = time.monotonic()
        _Quiet.until = ended + QUIET_SECONDS + QUIET_FACTOR * (ended - started)
        log.warning("nobody could be rung; the sweep will", extra={"task_name": task, "error": type(error).__name__})
        return False
    return True


def _producers() -> ProducerPool:
    """The process's own pool of impatient producers; kombu keeps one for each set of options."""
    connection = current_app.connection_for_write()
    connection.transport_options = {**(connection.transport_options or {}), **IMPATIENT}
    pool: ProducerPool = producers[connection]
    return pool
