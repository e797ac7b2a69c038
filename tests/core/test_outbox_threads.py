"""Many relays and many writers at once, on a real file or server: order for each tenant, nothing lost, nothing stuck."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from core.actors import system
from core.audit.models import AuditEvent
from core.audit.sealing import seal
from core.audit.services import record
from core.audit.verify import verify
from core.outbox import doorbell
from core.outbox.models import Delivery, DeliveryState, OutboxEvent
from core.outbox.registry import subscribe
from core.outbox.relay import relay
from core.outbox.services import publish

pytestmark = pytest.mark.django_db(transaction=True)
TENANTS = [f"tnt_{letter}" for letter in "abcdef"]
THREADS = 4


@pytest.fixture(autouse=True)
def no_consumers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.outbox.registry._consumers", {})
    monkeypatch.setattr("core.outbox.doorbell.current_app.send_task", lambda *a, **k: None)
    doorbell._Quiet.until = 0.0


def together(*works: Callable[[], None]) -> None:
    """Run each in a thread of its own with a connection of its own, started at once; raises the first error."""
    gate, errors = threading.Barrier(len(works)), []

    def run(work: Callable[[], None]) -> None:
        try:
            gate.wait()
            work()
        except BaseException as error:  # noqa: BLE001  # raised again in the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads)


def test_four_relays_keep_each_tenants_order_while_four_writers_write() -> None:
    heard: dict[str, list[int]] = defaultdict(list)
    busy: dict[str, int] = defaultdict(int)
    clashes: list[str] = []
    writing = threading.Event()

    def hear(event: OutboxEvent) -> None:
        tenant = str(event.tenant_id)
        busy[tenant] += 1
        if busy[tenant] > 1:
            clashes.append(tenant)
        time.sleep(0)  # let another thread in
        heard[tenant].append(event.sequence or 0)
        busy[tenant] -= 1

    subscribe("ear", ["*"], hear)

    def write(seed: int) -> Callable[[], None]:
        def work() -> None:
            draw = random.Random(seed)
            for number in range(25):
                with transaction.atomic():
                    publish(type="tenant.activated", subject=f"{seed}-{number}", tenant_id=draw.choice(TENANTS), data={})
                relay(budget_seconds=0.01)

        return work

    def drain() -> None:
        while not writing.is_set() or Delivery.objects.filter(state=DeliveryState.PENDING).exists():
            relay()

    def writers() -> None:
        together(*(write(seed) for seed in range(THREADS)))
        writing.set()

    together(writers, *[drain] * THREADS)
    relay()
    assert not clashes
    assert sum(len(sequences) for sequences in heard.values()) == THREADS * 25
    assert all(sequences == sorted(set(sequences)) for sequences in heard.values())
    assert sorted(OutboxEvent.objects.values_list("sequence", flat=True)) == list(range(1, THREADS * 25 + 1))
    assert not Delivery.objects.exclude(state=DeliveryState.DELIVERED).exists()


def test_the_order_of_a_writer_is_the_order_of_its_tenant() -> None:
    """Each tenant has one writer here, so what it wrote first must be heard first."""
    heard: dict[str, list[int]] = defaultdict(list)
    subscribe("ear", ["*"], lambda event: heard[str(event.tenant_id)].append(int(event.subject)))

    def write(tenant: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(20):
                with transaction.atomic():
                    publish(type="tenant.activated", subject=str(number), tenant_id=tenant, data={})

        return work

    def drain() -> None:
        for _ in range(40):
            relay()

    together(*(write(tenant) for tenant in TENANTS[:THREADS]), drain, drain)
    relay()
    assert dict(heard) == {tenant: list(range(20)) for tenant in TENANTS[:THREADS]}


def test_an_event_is_not_passed_by_a_later_one_whose_transaction_ended_first() -> None:
    """A transaction that began first and commits last: its event comes after the other's, and nothing is lost between them."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer: transactions do not overlap")
    heard: list[str] = []
    subscribe("ear", ["*"], lambda event: heard.append(event.subject))
    written, relayed = threading.Event(), threading.Event()

    def early() -> None:
        with transaction.atomic():
            publish(type="tenant.activated", subject="began first", tenant_id=TENANTS[0], data={})
            written.set()
            relayed.wait(10)

    def late() -> None:
        written.wait(10)
        with transaction.atomic():
            publish(type="tenant.activated", subject="committed first", tenant_id=TENANTS[0], data={})
        relay()
        relayed.set()

    together(early, late)
    relay()
    assert heard == ["committed first", "began first"]


def test_a_crash_of_one_relay_leaves_the_rest_to_the_others() -> None:
    heard: dict[str, list[str]] = defaultdict(list)
    crashed = threading.Event()

    def hear(event: OutboxEvent) -> None:
        heard[str(event.tenant_id)].append(event.subject)
        if event.subject == "2" and event.tenant_id == TENANTS[0] and not crashed.is_set():
            crashed.set()
            raise SystemExit  # as a killed worker: nothing is recorded

    subscribe("ear", ["*"], hear, lease_seconds=0.3)
    for number in range(6):
        with transaction.atomic():
            for tenant in TENANTS[:3]:
                publish(type="tenant.activated", subject=str(number), tenant_id=tenant, data={})

    def drain() -> None:
        give_up_at = time.monotonic() + 20
        while Delivery.objects.filter(state=DeliveryState.PENDING).exists() and time.monotonic() < give_up_at:
            try:
                relay()
            except SystemExit:
                continue

    relay(tenant_id="nobody")
    together(*[drain] * THREADS)
    assert heard[TENANTS[0]] == ["0", "1", "2", "2", "3", "4", "5"]
    assert heard[TENANTS[1]] == heard[TENANTS[2]] == ["0", "1", "2", "3", "4", "5"]


def test_audited_transactions_of_many_threads_make_one_chain() -> None:
    def write(seed: int) -> Callable[[], None]:
        def work() -> None:
            draw = random.Random(seed)
            for number in range(30):
                with transaction.atomic():
                    # In any order, before and after other rows: recording takes no lock that another transaction waits for.
                    record(
                        action="tenant.suspended", actor=system("test"), target=f"{seed}-{number}", tenant_id=draw.choice(TENANTS)
                    )
                    publish(type="tenant.suspended", subject=f"{seed}-{number}", tenant_id=draw.choice(TENANTS), data={})
                    record(action="tenant.resumed", actor=system("test"), target=f"{seed}-{number}", tenant_id=draw.choice(TENANTS))

        return work

    together(*(write(seed) for seed in range(THREADS)))
    seal()
    verdict = verify(anchors=False)
    assert verdict.ok
    assert (verdict.checked, verdict.pending) == (THREADS * 60, 0)
    for seed in range(THREADS):
        mine = AuditEvent.objects.filter(target__startswith=f"{seed}-").order_by("sequence")
        numbers = [int(event.target.split("-")[1]) for event in mine]
        assert numbers == sorted(numbers), "what one thread did first stands first"
