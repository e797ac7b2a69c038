"""The relay: what has been dispatched goes to its consumers, for each consumer and tenant in order.

Mutual exclusion needs no lock that outlives a statement. Of a stream (consumer, tenant) only the first open delivery may be called;
calling starts with one conditional UPDATE that takes the lease and counts the attempt, and "0 rows" means that another relay was
first. The next delivery of the stream becomes the first open one only when this one is recorded as delivered, and that record is
conditional on the attempt, so a worker that overslept its lease cannot speak for its successor.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from core.outbox.backoff import wait_after
from core.outbox.dispatch import dispatch
from core.outbox.models import Delivery, DeliveryState
from core.outbox.registry import Consumer, consumers

log = logging.getLogger("core.outbox")
BUDGET_SECONDS = 30.0  # one run of the relay; what is left is the next run's
STREAMS = 1_000  # of one consumer in one run
ERROR_LIMIT = 1_000
DIED = "the worker ended in the middle of the call"


def relay(*, tenant_id: str | None = None, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Dispatch what is committed and deliver what is due, of one tenant or of all; gives how many deliveries succeeded.

    Safe to run concurrently, in any number of workers, and again at any time. Must not run inside a transaction: handlers call the
    outside world. Raises TransactionManagementError otherwise.
    """
    _refuse_inside_transaction()
    dispatch()
    give_up_at = time.monotonic() + budget_seconds
    delivered = 0
    for consumer in tuple(consumers().values()):
        streams = due_streams(consumer, tenant_id=tenant_id)
        random.shuffle(streams)  # relays that were rung together start at different ends
        for stream in streams:
            for succeeded in _drain(consumer, stream):
                delivered += succeeded
                if time.monotonic() >= give_up_at:
                    return delivered
    return delivered


def due_streams(consumer: Consumer, *, tenant_id: str | None = None) -> list[str]:
    """The streams of a consumer whose first open delivery is due now and not leased."""
    mine = _open(consumer)
    if tenant_id is not None:
        mine = mine.filter(stream=tenant_id)
    earlier = _open(consumer).filter(stream=OuterRef("stream"), sequence__lt=OuterRef("sequence"))
    first = mine.filter(_due(timezone.now())).exclude(Exists(earlier))
    return list(first.order_by("sequence").values_list("stream", flat=True)[:STREAMS])


def _drain(consumer: Consumer, stream: str) -> Iterator[bool]:
    """Deliver a stream in order until it is empty, fails, is not due, or another relay is at it; yields whether each succeeded."""
    while True:
        first = _open(consumer).filter(stream=stream).select_related("event").order_by("sequence").first()
        if first is None or not _begin(consumer, first):
            return
        succeeded = _call(consumer, first)
        yield succeeded
        if not succeeded and consumer.when_dead == "hold":
            return


def _begin(consumer: Consumer, delivery: Delivery) -> bool:
    """Take the lease and count the attempt; False when it is not due, is dead, or another relay was first."""
    now = timezone.now()
    mine = Delivery.objects.filter(_due(now), pk=delivery.pk, attempts=delivery.attempts)
    if delivery.attempts >= consumer.attempts:
        # Its last call ended without a word: the worker died in it. Not even that may go on for ever.
        mine.update(state=DeliveryState.DEAD, leased_until=None, finished_at=now, last_error=delivery.last_error or DIED)
        return False
    lease = now + timedelta(seconds=consumer.lease_seconds)
    if mine.update(attempts=F("attempts") + 1, leased_until=lease) != 1:
        return False
    delivery.attempts += 1
    return True


def _call(consumer: Consumer, delivery: Delivery) -> bool:
    """Call the handler, outside any transaction, and record what came of it."""
    try:
        consumer.handler(delivery.event)
    except Exception as error:  # noqa: BLE001  # whatever a consumer raises means: not done
        _record_failure(consumer, delivery, error)
        return False
    _record(delivery, state=DeliveryState.DELIVERED, finished_at=timezone.now(), last_error="")
    return True


def _record_failure(consumer: Consumer, delivery: Delivery, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}".replace("\x00", "")[:ERROR_LIMIT]
    extra = {"event_id": delivery.event.public_id, "consumer": consumer.name, "attempts": delivery.attempts}
    if delivery.attempts >= consumer.attempts:
        log.error("an event is dead for a consumer; an operator must drive it again or discard it", extra=extra, exc_info=error)
        _record(delivery, state=DeliveryState.DEAD, finished_at=timezone.now(), last_error=text)
        return
    log.warning("a consumer did not take an event", extra={**extra, "error": text})
    draw = random.random()  # noqa: S311  # jitter, not a secret
    _record(delivery, due_at=timezone.now() + wait_after(delivery.attempts, draw), last_error=text)


def _record(delivery: Delivery, **changes: Any) -> None:
    """Write the outcome and give the lease back, if the lease is still this attempt's."""
    mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING, attempts=delivery.attempts)
    if mine.update(leased_until=None, **changes) != 1:
        extra = {"event_id": delivery.event.public_id, "consumer": delivery.consumer}
        log.warning("a delivery outlived its lease; its outcome is left to its successor", extra=extra)


def _open(consumer: Consumer) -> models.QuerySet[Delivery]:
    """What still stands before later events of its stream."""
    states = [DeliveryState.PENDING, DeliveryState.DEAD] if consumer.when_dead == "hold" else [DeliveryState.PENDING]
    return Delivery.objects.filter(consumer=consumer.name, state__in=states)


def _due(now: datetime) -> Q:
    return Q(state=DeliveryState.PENDING, due_at__lte=now) & (Q(leased_until=None) | Q(leased_until__lte=now))


def _refuse_inside_transaction() -> None:
    blocks = transaction.get_connection().atomic_blocks
    # Django's own mark of the transaction that wraps a test, which is not a caller's.
    if blocks and not getattr(blocks[-1], "_from_testcase", False):
        raise transaction.TransactionManagementError("The relay calls handlers, which must not run inside a transaction.")
