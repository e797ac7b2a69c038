"""A real message through the real broker: what it carries, and what the task's log lines know."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery.contrib.testing.worker import start_worker

from controlplane.celery import app
from controlplane.logs import current_ids, log_context

SEEN: queue.Queue[tuple[str, dict[str, str]]] = queue.Queue()
OPERATION = "op_01j9zc3v5m8k2q4r6t8w0y1a3b"


@app.task(name="tests.controlplane.look")
def look(operation_id: str) -> None:
    SEEN.put((operation_id, dict(current_ids())))


@pytest.fixture
def worker(clean_redis: redis.Redis) -> Iterator[Any]:
    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False) as started:
        yield started


@pytest.mark.django_db(transaction=True)
def test_a_task_knows_the_request_that_rang_the_bell(worker: Any) -> None:
    with log_context(request_id="request-1", tenant="tnt_not_carried"):
        sent = look.delay(OPERATION)
    argument, ids = SEEN.get(timeout=20)
    assert argument == OPERATION
    assert ids == {"task": sent.id, "request_id": "request-1"}


def test_a_message_is_json_and_holds_the_id_alone(clean_redis: redis.Redis) -> None:
    with log_context(request_id="request-1"):
        look.delay(OPERATION)
    message = json.loads(clean_redis.lindex("controlplane", 0))  # type: ignore[arg-type]
    assert message["content-type"] == "application/json"
    assert message["headers"]["request_id"] == "request-1"
    assert message["headers"]["argsrepr"] == f"('{OPERATION}',)"
    clean_redis.flushdb()


def test_nothing_is_waited_for_when_the_broker_is_away(settings: Any) -> None:
    """A bell that does not ring costs a moment, not the request: the sweep will find the row."""
    import time

    from kombu.exceptions import OperationalError

    from tests.services import HeldPort

    port = HeldPort()
    started = time.monotonic()
    with app.connection_for_write(f"redis://127.0.0.1:{port.number}/0") as connection, pytest.raises(OperationalError):
        look.apply_async((OPERATION,), connection=connection)
    assert time.monotonic() - started < 5
    port.release()
