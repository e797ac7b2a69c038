from __future__ import annotations

import contextlib
import time
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from kombu import Connection

from core.actors import operator
from core.audit.models import AuditEvent
from core.outbox import doorbell
from core.outbox.backoff import wait_after
from core.outbox.dispatch import dispatch
from core.outbox.models import Delivery, DeliveryState, OutboxEvent
from core.outbox.registry import ATTEMPTS, Consumer, consumers, subscribe, unsubscribe
from core.outbox.relay import relay
from core.outbox.retention import prune
from core.outbox.selectors import get_health, list_deliveries, list_events
from core.outbox.services import discard, publish, redrive
from core.transitions import IllegalTransitionError

pytestmark = pytest.mark.django_db
ACME, GLOBEX = "tnt_01j9zc3v5m8k2q4r6t8w0y1a3b", "tnt_01j9zc3v5m8k2q4r6t8w0y1a3c"


@pytest.fixture(autouse=True)
def no_consumers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's own consumers are not heard here, and nobody is rung."""
    monkeypatch.setattr("core.outbox.registry._consumers", {})
    monkeypatch.setattr("core.outbox.doorbell.current_app.send_task", lambda *a, **k: None)
    doorbell._Quiet.until = 0.0


class Ear:
    """A consumer that writes down what it heard and fails where it is told to."""

    def __init__(self, name: str = "ear", types: tuple[str, ...] = ("*",), **options: object) -> None:
        self.heard: list[str] = []
        self.fails: set[str] = set()
        self.consumer: Consumer = subscribe(name, types, self.hear, **options)  # type: ignore[arg-type]

    def hear(self, event: OutboxEvent) -> None:
        if event.subject in self.fails:
            raise RuntimeError(f"cannot take {event.subject}")
        self.heard.append(event.subject)


def say(*subjects: str, tenant: str | None = ACME, type: str = "tenant.activated") -> list[OutboxEvent]:
    with transaction.atomic():
        return [publish(type=type, subject=subject, tenant_id=tenant, data={"n": 1}) for subject in subjects]


def test_what_is_published_arrives_once_with_its_data() -> None:
    heard: list[OutboxEvent] = []
    subscribe("ear", ["tenant.*"], heard.append)
    event = say("a")[0]
    assert relay() == 1
    assert relay() == 0
    assert [(e.id, e.type, e.subject, e.tenant_id, e.data, e.sequence) for e in heard] == [
        (event.id, "tenant.activated", "a", ACME, {"n": 1}, 1)
    ]
    assert event.id.startswith("evt_")


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_published() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        publish(type="tenant.activated", subject="a", tenant_id=ACME, data={})


@pytest.mark.django_db(transaction=True)
def test_the_relay_refuses_to_run_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        relay()


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_with_the_transaction_that_was_rolled_back() -> None:
    ear = Ear()
    with transaction.atomic():
        say("never")
        transaction.set_rollback(True)
    say("real")
    relay()
    assert ear.heard == ["real"]
    assert OutboxEvent.objects.get().sequence == 1


@pytest.mark.django_db(transaction=True)
def test_the_handler_runs_outside_any_transaction() -> None:
    blocks: list[bool] = []
    subscribe("ear", ["*"], lambda event: blocks.append(transaction.get_connection().in_atomic_block))
    say("a")
    relay()
    assert blocks == [False]


@pytest.mark.parametrize("bad", ["tenant", "Tenant.activated", "tenant.", "a.b!", "x." + "y" * 100])
def test_a_malformed_type_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="type"):
        say("a", type=bad)


def test_consumers_hear_what_they_asked_for() -> None:
    keys, tenants, all_ = Ear("keys", ("key.*",)), Ear("tenants", ("tenant.activated", "tenant.closed")), Ear("all")
    say("k", type="key.rotated")
    say("t")
    say("s", type="tenant.suspended")
    say("keyring", type="keyring.made")
    relay()
    assert (keys.heard, tenants.heard, all_.heard) == (["k"], ["t"], ["k", "t", "s", "keyring"])


def test_a_failing_event_holds_back_only_its_tenant_and_only_its_consumer() -> None:
    sick, well = Ear("sick"), Ear("well")
    sick.fails = {"a1"}
    say("a1", "a2")
    say("g1", "g2", tenant=GLOBEX)
    say("n1", tenant=None)
    relay()
    assert sorted(well.heard) == ["a1", "a2", "g1", "g2", "n1"]
    assert sorted(sick.heard) == ["g1", "g2", "n1"]
    with time_machine.travel(timezone.now() + timedelta(seconds=6), tick=False):
        sick.fails = set()
        relay()
    assert [subject for subject in sick.heard if subject.startswith("a")] == ["a1", "a2"]


def test_the_wait_doubles_with_jitter_to_a_ceiling_and_the_budget_is_what_the_docs_say() -> None:
    assert [wait_after(n, 0.0).total_seconds() for n in (1, 2, 3)] == [2.5, 5.0, 10.0]
    assert wait_after(1, 0.999).total_seconds() < 5.0
    assert wait_after(50, 0.999).total_seconds() < 3600
    longest = sum(wait_after(n, 1.0).total_seconds() for n in range(1, ATTEMPTS)) / 3600
    shortest = sum(wait_after(n, 0.0).total_seconds() for n in range(1, ATTEMPTS)) / 3600
    assert 6.0 < longest < 7.0
    assert 3.0 < shortest < 3.5


def until_dead(ear: Ear) -> Delivery:
    """Let the clock run, an hour and a minute at a time, until the budget is spent."""
    moment = timezone.now()
    for _ in range(ear.consumer.attempts + 3):
        with time_machine.travel(moment, tick=False):
            relay()
        moment += timedelta(seconds=3660)
    return Delivery.objects.filter(consumer=ear.consumer.name).order_by("sequence")[0]


def test_after_its_budget_an_event_is_dead_and_still_holds_its_tenant() -> None:
    ear = Ear(attempts=4)
    ear.fails = {"a1"}
    say("a1", "a2")
    dead = until_dead(ear)
    assert (dead.state, dead.attempts, dead.last_error) == (DeliveryState.DEAD, 4, "RuntimeError: cannot take a1")
    assert ear.heard == []
    assert (get_health().dead, get_health().pending) == (1, 1)


def test_a_consumer_that_passes_goes_on_after_a_dead_event() -> None:
    ear = Ear(attempts=2, when_dead="pass")
    ear.fails = {"a1"}
    say("a1", "a2")
    assert until_dead(ear).state == DeliveryState.DEAD
    assert ear.heard == ["a2"]


def test_a_dead_event_is_driven_again_in_its_order_by_an_operator_with_a_reason() -> None:
    ear = Ear(attempts=2)
    ear.fails = {"a1"}
    say("a1", "a2")
    dead = until_dead(ear)
    ear.fails = set()
    redrive(delivery=dead, actor=operator("ada"), reason="mended")
    relay()
    assert ear.heard == ["a1", "a2"]
    assert AuditEvent.objects.get(action="delivery.redriven").reason == "mended"
    with pytest.raises(IllegalTransitionError):
        redrive(delivery=dead, actor=operator("ada"), reason="again")


def test_a_dead_event_is_discarded_and_the_later_ones_go_on() -> None:
    ear = Ear(attempts=2)
    ear.fails = {"a1"}
    say("a1", "a2")
    discard(delivery=until_dead(ear), actor=operator("ada"), reason="of no use")
    relay()
    assert ear.heard == ["a2"]
    assert AuditEvent.objects.get(action="delivery.discarded").tenant_id == ACME


def test_a_crash_between_handler_and_record_brings_the_event_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear(lease_seconds=60)
    say("a1", "a2")
    with monkeypatch.context() as patch:
        patch.setattr("core.outbox.relay._record", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            relay()
    assert ear.heard == ["a1"]
    assert relay() == 0, "the lease still holds"
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        assert relay() == 2
    assert ear.heard == ["a1", "a1", "a2"]


def test_an_event_that_kills_its_worker_is_dead_after_its_budget() -> None:
    calls: list[str] = []

    def kill(event: OutboxEvent) -> None:
        calls.append(event.subject)
        raise KeyboardInterrupt  # not an Exception: nobody records it, as after SIGKILL

    subscribe("killer", ["*"], kill, attempts=3)
    say("a1")
    moment = timezone.now()
    for _ in range(6):
        with time_machine.travel(moment, tick=False), contextlib.suppress(KeyboardInterrupt):
            relay()
        moment += timedelta(seconds=61)
    assert len(calls) == 3
    assert Delivery.objects.get().state == DeliveryState.DEAD
    assert "worker ended" in Delivery.objects.get().last_error


def test_a_worker_that_overslept_cannot_speak_for_its_successor() -> None:
    order: list[str] = []

    def slow(event: OutboxEvent) -> None:
        order.append("called")
        if len(order) == 1:
            with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
                relay()  # the lease has run out: another worker takes the event, and fails
            return
        raise RuntimeError("the successor fails")

    subscribe("slow", ["*"], slow)
    say("a1")
    relay()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 2)


def test_ringing_relays_one_tenant_and_the_sweep_all() -> None:
    ear = Ear()
    say("a")
    say("g", tenant=GLOBEX)
    say("n", tenant=None)
    relay(tenant_id=GLOBEX)
    assert ear.heard == ["g"]
    relay()
    assert sorted(ear.heard) == ["a", "g", "n"]


def test_a_broker_that_is_down_never_reaches_the_caller_and_the_sweep_delivers(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    from core.outbox import tasks

    ear, rings = Ear(), []

    def refuse(*args: object, **kwargs: object) -> None:
        rings.append(kwargs)
        raise ConnectionError("no broker")

    monkeypatch.setattr("core.outbox.doorbell.current_app.send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        say("a1", "a2", "a3")
    assert len(rings) == 1, "after a failed ring nobody rings for a while"
    assert ear.heard == []
    assert tasks.relay() == 3


def test_a_broker_that_refuses_costs_a_commit_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Really refused, by a port where nobody listens: kombu's own patience would be six seconds."""
    monkeypatch.undo()  # a real message, this time
    monkeypatch.setattr(doorbell._Quiet, "until", 0.0)
    nobody = Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 2})
    monkeypatch.setattr(doorbell.current_app, "connection_for_write", lambda: nobody)
    started = time.monotonic()
    assert doorbell.ring(ACME) is False
    assert time.monotonic() - started < 3


def test_the_bell_carries_the_tenants_id_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    rings: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        "core.outbox.doorbell.current_app.send_task", lambda name, kwargs, **options: rings.append((name, kwargs, options["retry"]))
    )
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        say("a1")
    assert rings == [("core.outbox.tasks.relay", {"tenant_id": ACME}, False)]


def test_one_commit_rings_once_for_each_tenant_and_the_next_commit_again(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    rings: list[str] = []
    monkeypatch.setattr(
        "core.outbox.doorbell.current_app.send_task", lambda name, kwargs, **options: rings.append(kwargs["tenant_id"])
    )
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        say("a1", "a2", "a3")
        say("g1", "g2", tenant=GLOBEX)
    assert rings == [ACME, GLOBEX]
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        say("g3", tenant=GLOBEX)
    assert rings == [ACME, GLOBEX, GLOBEX]


def test_an_event_that_was_rolled_back_takes_no_ring_from_the_others(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    rings: list[str] = []
    monkeypatch.setattr(
        "core.outbox.doorbell.current_app.send_task", lambda name, kwargs, **options: rings.append(kwargs["tenant_id"])
    )
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            say("a1")
            raise ZeroDivisionError
        say("a2")
    assert rings == [ACME]


def test_a_consumer_of_another_release_keeps_its_deliveries() -> None:
    Ear("gone")
    say("a1")
    dispatch()
    unsubscribe("gone")
    assert relay() == 0
    assert (get_health().orphaned, get_health().pending) == (1, 1)
    back = Ear("gone")
    relay()
    assert back.heard == ["a1"]


def test_a_consumers_name_is_taken_once() -> None:
    ear = Ear()
    assert subscribe("ear", ["*"], ear.hear) is not None
    with pytest.raises(ValueError, match="another consumer"):
        subscribe("ear", ["*"], lambda event: None)
    with pytest.raises(TypeError):
        subscribe("other", "tenant.activated", lambda event: None)
    assert list(consumers()) == ["ear"]


def test_pruning_forgets_only_what_everybody_has_had() -> None:
    ear = Ear("sick")
    Ear("well")
    ear.fails = {"stuck"}
    say("stuck")
    say("done", tenant=GLOBEX)
    relay()
    with time_machine.travel(timezone.now() + timedelta(days=15), tick=False):
        say("undispatched")
        assert prune() == 1
        assert prune() == 0
    assert sorted(OutboxEvent.objects.values_list("subject", flat=True)) == ["stuck", "undispatched"]
    with time_machine.travel(timezone.now() + timedelta(days=40), tick=False):
        assert prune() == 0
        ear.fails = set()
        relay()
        assert prune(days=20) == 2


def test_reading_the_outbox() -> None:
    ear = Ear()
    ear.fails = {"a1"}
    say("a1", "a2")
    say("g1", tenant=GLOBEX)
    assert get_health().undispatched == 3
    relay()
    assert [d.event.subject for d in list_deliveries(state=DeliveryState.PENDING)] == ["a2", "a1"]
    assert list_deliveries(tenant_id=GLOBEX).get().state == DeliveryState.DELIVERED
    assert [e.subject for e in list_events(tenant_id=ACME)] == ["a2", "a1"]
    assert list_events(type="key.rotated").count() == 0
    assert get_health().oldest_pending_at == OutboxEvent.objects.get(subject="a1").occurred_at


def test_publishing_costs_one_statement(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        publish(type="tenant.activated", subject="a", tenant_id=ACME, data={})


def test_an_idle_relay_costs_one_look_a_consumer(django_assert_num_queries: object) -> None:
    Ear("one")
    Ear("two")
    say("a")
    relay()
    with django_assert_num_queries(3):  # type: ignore[operator]
        relay()
