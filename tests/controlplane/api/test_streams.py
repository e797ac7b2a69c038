"""An operation as polled and as followed: an event for each change, an end, a bound, and no place lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from controlplane.api import streams
from provisioning.models import Operation, Step
from tenants.models import Tenant
from tests.controlplane.api.machine import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def operation(acme: Tenant) -> Operation:
    row = Operation.objects.create(
        kind="repair", tenant=acme, state="running", actor="operator:ada", created_at=timezone.now(), steps_total=2
    )
    for position, kind in enumerate(("user_group", "app_client"), start=1):
        Step.objects.create(operation=row, position=position, action="ensure", kind=kind, name="own", spec={"secret": "hunter2"})
    return row


class Time:
    """A clock that only waiting moves, and what happens while one waits."""

    def __init__(self, *happenings: Callable[[], Any]) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.happenings: Iterator[Callable[[], Any]] = iter(happenings)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        next(self.happenings, lambda: None)()


def read(operation: Operation, passing: Time, *, last_seen: str = "") -> list[dict[str, str]]:
    stream = streams.Stream(operation, last_seen=last_seen, on_close=lambda: None, clock=passing.clock, wait=passing.wait)
    blocks = b"".join(stream).decode().strip().split("\n\n")
    return [dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")) for block in blocks]


def events_of(blocks: list[dict[str, str]]) -> list[tuple[str, Any]]:
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def test_each_change_is_an_event_and_the_end_is_the_last(operation: Operation) -> None:
    def step() -> None:
        Step.objects.filter(position=1).update(state="succeeded")
        Operation.objects.update(steps_done=1)

    def finish() -> None:
        Step.objects.update(state="succeeded")
        Operation.objects.update(steps_done=2, state="succeeded", finished_at=timezone.now())

    passing = Time(lambda: None, step, lambda: None, finish)
    blocks = read(operation, passing)
    events = events_of(blocks)
    assert [(name, data.get("steps_done"), data["state"]) for name, data in events] == [
        ("operation", 0, "running"),
        ("operation", 1, "running"),
        ("operation", 2, "succeeded"),
        ("end", None, "succeeded"),
    ]
    assert events[1][1]["steps"][0]["state"] == "succeeded"
    assert blocks[0] == {"retry": "1000"}
    assert passing.waits == [1.0] * 4


def test_it_ends_after_a_minute_and_looks_once_a_second(operation: Operation, django_assert_max_num_queries: Any) -> None:
    passing = Time()
    with django_assert_max_num_queries(2 * 60 + 2):
        blocks = read(operation, passing)
    assert [name for name, _ in events_of(blocks)] == ["operation"]
    assert passing.now <= 60
    assert min(passing.waits) >= 1
    assert len([block for block in blocks if block == {}]) == 3


def test_who_comes_back_is_not_told_again(operation: Operation) -> None:
    version = next(block["id"] for block in read(operation, Time()) if "id" in block)
    assert events_of(read(operation, Time(), last_seen=version)) == []
    assert len(events_of(read(operation, Time(), last_seen="older"))) == 1


@pytest.mark.parametrize("state", ["succeeded", "failed", "abandoned"])
def test_a_finished_operation_ends_at_once(api: Machine, operation: Operation, state: str) -> None:
    Operation.objects.update(state=state)
    answer = api.get(f"operations/{operation.pk}/stream", Accept="text/event-stream")
    assert (answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        200,
        "text/event-stream",
        "no-store",
    )
    text = answer.raw.decode()
    assert f'event: end\nid: {text.split("id: ")[1].splitlines()[0]}\ndata: {{"state":"{state}"}}' in text
    last = text.rsplit("id: ", 1)[1].splitlines()[0]
    assert api.get(f"operations/{operation.pk}/stream", Last_Event_ID=last).status == 204
    assert api.get(f"operations/{operation.pk}/stream", Last_Event_ID="other").status == 200


def test_the_stream_shows_what_the_operation_shows_and_its_etag(api: Machine, operation: Operation) -> None:
    Operation.objects.update(state="failed")
    shown = api.get(f"operations/{operation.pk}")
    text = api.get(f"operations/{operation.pk}/stream").raw.decode()
    assert f"data: {shown.raw.decode()}\n" in text
    assert f"id: {shown.headers['ETag'].strip(chr(34))}\n" in text
    assert "hunter2" not in text


def test_there_are_so_many_places_and_no_more(api: Machine, operation: Operation) -> None:
    """Places are given free by closing, once each. (A response's own ``close`` would end the request, and the test's connection.)"""

    def close(response: Any) -> None:
        for closer in response._resource_closers:
            closer()

    for _ in range(2):
        open_ones = [streams.follow(operation) for _ in range(streams.MOST_OPEN)]
        refused = api.get(f"operations/{operation.pk}/stream")
        assert (refused.status, refused.body["type"].rpartition("#")[2]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        for response in open_ones:
            close(response)
            close(response)


def test_a_head_holds_no_place(api: Machine, operation: Operation) -> None:
    for _ in range(streams.MOST_OPEN + 1):
        assert api.ask("HEAD", f"operations/{operation.pk}/stream").status == 200


def test_the_stream_is_asked_for_by_its_type(api: Machine, operation: Operation) -> None:
    answer = api.get(f"operations/{operation.pk}/stream", Accept="application/json")
    assert (answer.status, answer.body["type"].rpartition("#")[2]) == (406, "not-acceptable")


def test_polling_with_the_version_is_an_empty_304_until_something_changes(api: Machine, operation: Operation) -> None:
    etag = api.get(f"operations/{operation.pk}").headers["ETag"]
    unchanged = api.get(f"operations/{operation.pk}", If_None_Match=etag)
    assert (unchanged.status, unchanged.raw) == (304, b"")
    Step.objects.filter(position=2).update(state="waiting", note="AWS is at it")
    changed = api.get(f"operations/{operation.pk}", If_None_Match=etag)
    assert changed.status == 200
    assert changed.body["steps"][1]["note"] == "AWS is at it"


def test_an_operation_is_three_queries_however_many_steps(
    api: Machine, operation: Operation, django_assert_num_queries: Any
) -> None:
    api.get("tiers")
    for position in range(3, 30):
        Step.objects.create(operation=operation, position=position, action="ensure", kind="secret", name=f"s{position}", spec={})
    with django_assert_num_queries(3):
        assert len(api.get(f"operations/{operation.pk}").body["steps"]) == 29


def test_operations_are_filtered(api: Machine, operation: Operation, globex: Tenant) -> None:
    Operation.objects.create(kind="suspend", tenant=globex, state="failed", actor="system:t", created_at=timezone.now())

    def kinds(query: str) -> list[str]:
        return sorted(item["kind"] for item in api.get(f"operations?{query}").body["items"])

    assert kinds("") == ["repair", "suspend"]
    assert kinds("state=failed") == ["suspend"]
    assert kinds("kind=repair") == ["repair"]
    assert kinds(f"tenant={globex.pk}") == ["suspend"]
    assert kinds("cell=dev-1") == []


def test_a_secret_in_awss_words_does_not_come_out(api: Machine, operation: Operation) -> None:
    Operation.objects.update(state="failed", error_code="Denied", error_detail="client_secret=hunter2hunter2 was refused")
    shown = api.get(f"operations/{operation.pk}").raw.decode()
    assert "hunter2" not in shown
    assert "was refused" in shown
