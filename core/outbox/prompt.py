"""Consumers that cannot wait for a worker hear of an event in the process that committed it, right after the commit.

It is a short cut and no more: it may fail, or be skipped, and nobody who committed notices. The relay delivers the same event later, whatever
happened here, so such a consumer hears most events twice. After a failure this process takes no short cuts for :data:`QUIET_SECONDS`, so that a
Redis that hangs does not cost every commit its time-out.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

from django.db import transaction

from core.outbox.models import OutboxEvent
from core.outbox.registry import Consumer, consumers

log = logging.getLogger("core.outbox")
QUIET_SECONDS = 5.0
MOST = 20
"""Events of one commit that are told at once; an act with more is one for the relay."""


class _Quiet:
    """When this process may take short cuts again, on the monotonic clock."""

    until = 0.0


class _Commit(threading.local):
    """What this thread has told since its last commit: whatever was published after ``began`` belongs to a later one."""

    began = 0.0
    told: frozenset[tuple[str, str, str]] = frozenset()


_commit = _Commit()


def tell_on_commit(event: OutboxEvent) -> None:
    """Tell the consumers in a hurry when the surrounding transaction has committed: of each noun and subject once."""
    published_at = time.monotonic()
    for consumer in consumers().values():
        if consumer.prompt and consumer.wants(event.type):
            transaction.on_commit(partial(_tell, consumer, event, published_at), robust=True)


def _tell(consumer: Consumer, event: OutboxEvent, published_at: float) -> None:
    now = time.monotonic()
    if now < _Quiet.until:
        return
    if published_at > _commit.began:
        _commit.began, _commit.told = now, frozenset()
    what = (consumer.name, event.type.partition(".")[0], event.subject)
    if what in _commit.told or len(_commit.told) >= MOST:
        return
    _commit.told |= {what}
    try:
        consumer.handler(event)
    except Exception as error:  # noqa: BLE001  # whatever it raises: the relay will call it again
        _Quiet.until = time.monotonic() + QUIET_SECONDS
        log.warning(
            "a consumer was not told at once; the relay will", extra={"consumer": consumer.name, "error": type(error).__name__}
        )
