"""The counters of an edge process: taken once, sent until they are taken, and told apart by the minute while Redis is away."""

from __future__ import annotations

from core.ids import KEY, TENANT, new_id
from tenants.usage import batches, tally
from tenants.usage.batches import CountKey, unpack
from tenants.usage.tally import MOST_UNSENT, Batch, Sending, Tally

ACME, INGEST = new_id(TENANT), new_id(KEY)
AT = 1_795_000_020_000  # a minute begins
SECOND, MINUTE = 1_000, 60_000


def rows_of(batch: Batch | None) -> dict[CountKey, tuple[int, int]]:
    assert batch is not None
    return {key: (requests, cost) for key, requests, cost in unpack(batch.body).rows}


def test_what_was_counted_is_taken_once() -> None:
    counted = Tally()
    assert counted.take() is None
    counted.count(ACME, INGEST, 2, "VALID", cost=5)
    counted.count(ACME, INGEST, 2, "VALID", cost=5)
    counted.count(ACME, INGEST, 2, "RATE_LIMITED", "rate")
    first = counted.take(AT)
    assert rows_of(first) == {(ACME, INGEST, 2, "VALID", ""): (2, 10), (ACME, INGEST, 2, "RATE_LIMITED", "rate"): (1, 1)}
    assert counted.take() is None
    counted.count(ACME, INGEST, 2, "VALID")
    second = counted.take(AT)
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert (first.at_ms, unpack(first.body).id, unpack(first.body).at_ms) == (AT, first.id, AT)


def test_a_hot_path_may_hold_on_to_the_mappings() -> None:
    counted = Tally()
    counts, costs = counted.counts, counted.costs
    for _ in range(2):
        counts[ACME, INGEST, 1, "VALID", ""] += 3
        costs[ACME, INGEST, 1, "VALID", ""] += 4
        assert rows_of(counted.take()) == {(ACME, INGEST, 1, "VALID", ""): (3, 4)}


def test_a_counter_without_a_cost_costs_one_each_and_one_without_a_tenant_is_none() -> None:
    counted = Tally()
    counted.counts[ACME, "", 0, "VALID", ""] += 3
    counted.count("", "", 0, "NOT_FOUND")
    assert rows_of(counted.take()) == {(ACME, "", 0, "VALID", ""): (3, 3)}
    counted.count("", "", 0, "NOT_FOUND")
    assert counted.take() is None
    assert not counted.counts
    assert not counted.costs


def test_more_counters_than_fit_are_taken_in_turn() -> None:
    counted = Tally()
    for number in range(batches.MOST_ROWS + 10):
        counted.count(ACME, INGEST, number, "VALID")
    sending, sizes = Sending(counted), []
    while (batch := sending.due(AT)) is not None:
        sizes.append(len(rows_of(batch)))
        sending.done(batch)
    assert sizes == [batches.MOST_ROWS, 10]


def test_a_batch_is_due_under_its_id_until_it_is_done() -> None:
    counted = Tally()
    sending = Sending(counted)
    counted.count(ACME, INGEST, 1, "VALID")
    first = sending.due(AT)
    counted.count(ACME, INGEST, 1, "VALID")
    assert sending.due(AT + SECOND) is first
    assert first is not None
    sending.done(first)
    sending.done(first)
    second = sending.due(AT + 2 * SECOND)
    assert second is not None
    assert second.id != first.id
    assert rows_of(second) == {(ACME, INGEST, 1, "VALID", ""): (1, 1)}
    sending.done(first)  # an answer that came late
    assert sending.waiting == 1


def test_while_redis_is_away_minutes_are_told_apart_and_memory_is_bounded() -> None:
    counted = Tally()
    sending = Sending(counted)
    seconds = 60 * (MOST_UNSENT + 5)
    for second in range(seconds):
        counted.count(ACME, INGEST, 1, "VALID")
        sending.due(AT + second * SECOND)
    assert sending.waiting == MOST_UNSENT
    found: list[tuple[int, int]] = []
    while (batch := sending.due(AT + seconds * SECOND)) is not None:
        found.append((batch.at_ms // MINUTE - AT // MINUTE, rows_of(batch)[ACME, INGEST, 1, "VALID", ""][0]))
        sending.done(batch)
    assert sum(number for _, number in found) == seconds
    assert found[:3] == [(0, 1), (0, 60), (1, 60)]
    assert found[2:-1] == [(minute, 60) for minute in range(1, MOST_UNSENT - 1)]


def test_the_stream_s_bound_is_what_is_told() -> None:
    assert tally.STREAM == "edge:usage"
    assert tally.MOST_WAITING * tally.FLUSH_SECONDS == 3_600
