"""The roll-up: batches from the stream are added to the rows, each exactly once, and then dropped from the stream.

In one transaction the ids of a few batches are written and their counters added; only then are they dropped. Whoever dies in between leaves
batches whose ids are there, and the next one drops them without counting. Two at once wait for each other at the first id that both have.
A batch that cannot be read, or whose counters the database does not take, is set aside and told; the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, OperationalError, transaction
from django.utils import timezone

from core.statements import InsertNew
from tenants.usage import batches, counting
from tenants.usage.batches import Contents, MalformedBatchError
from tenants.usage.known import Known
from tenants.usage.models import CountedBatch
from tenants.usage.stream import Entry, Stream
from tenants.usage.tally import MOST_WAITING

logger = logging.getLogger(__name__)

AT_ONCE = 32
"""How many batches a transaction adds up: what they have in common is written once, and a crash repeats no more than that."""
ROUNDS = 40
IDS_KEPT = timedelta(days=3)
"""How long it is known that a batch was counted. An older one could not be told from one that was, so it is not taken."""
MOST_AHEAD = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_write_new = InsertNew(CountedBatch, "id", "at", "counted_at")


@dataclass(slots=True)
class Rolled:
    """What a roll-up did: batches counted, those that were counted before, those set aside, and whose usage it was."""

    counted: int = 0
    repeated: int = 0
    refused: int = 0
    tenants: set[str] = field(default_factory=set)


@lru_cache(maxsize=1)
def stream() -> Stream:
    """Give this process's stream, in the Redis of the settings."""
    return Stream.from_url(settings.REDIS_URL)


@lru_cache(maxsize=1)
def known() -> Known:
    """Give this process's memory of tenants and versions."""
    return Known()


def roll_up(*, now: datetime | None = None) -> Rolled:
    """Add up what waits in the stream, the oldest first. Safe to run anywhere, at once and again. Raises RedisError, OperationalError.

    Ends after :data:`ROUNDS` transactions at the latest; what is left is for the next one.
    """
    source, rolled = stream(), Rolled()
    waiting = source.waiting()
    if waiting > MOST_WAITING // 2:
        logger.error("usage waits to be added up, and will be lost when the stream is full", extra={"batches": waiting})
    for _ in range(ROUNDS):
        entries = source.read(AT_ONCE)
        if not entries:
            break
        _take(source, entries, rolled, now or timezone.now())
    return rolled


def _take(source: Stream, entries: Sequence[Entry], rolled: Rolled, now: datetime) -> None:
    read: list[tuple[Entry, Contents]] = []
    for entry in entries:
        try:
            read.append((entry, _checked(entry, now)))
        except MalformedBatchError as error:
            _set_aside(source, entry, str(error), rolled)
    source.drop(_counted(source, read, rolled, now))


def _counted(source: Stream, read: Sequence[tuple[Entry, Contents]], rolled: Rolled, now: datetime) -> list[Entry]:
    """Count all in one transaction, or, where the database does not take them, each in one of its own; gives the entries that may go."""
    try:
        _count([contents for _, contents in read], rolled, now)
    except OperationalError:  # too busy, gone, or a deadlock: nothing is wrong with the batches
        raise
    except DatabaseError as error:
        if len(read) == 1:
            _set_aside(source, read[0][0], f"the database did not take it: {type(error).__name__}", rolled)
            return []
        return [entry for one in read for entry in _counted(source, [one], rolled, now)]
    return [entry for entry, _ in read]


def _count(found: Sequence[Contents], rolled: Rolled, now: datetime) -> None:
    by_id = {contents.id: contents for contents in found}
    rows = [(batch_id, _time_of(by_id[batch_id]), now) for batch_id in sorted(by_id)]
    with transaction.atomic():
        new = _write_new(rows)
        tenants = counting.add_up([by_id[batch_id] for batch_id in sorted(new)], known(), now)
    rolled.counted += len(new)
    rolled.repeated += len(found) - len(new)
    rolled.tenants |= tenants


def _checked(entry: Entry, now: datetime) -> Contents:
    contents = batches.unpack(entry.body)
    at = _time_of(contents)
    if at < now - IDS_KEPT:
        raise MalformedBatchError(f"older than {IDS_KEPT.days} days")
    if at > now + MOST_AHEAD:
        raise MalformedBatchError(f"more than {MOST_AHEAD.days} day ahead")
    return contents


def _time_of(contents: Contents) -> datetime:
    return _EPOCH + timedelta(milliseconds=contents.at_ms)


def _set_aside(source: Stream, entry: Entry, why: str, rolled: Rolled) -> None:
    logger.error(
        "a batch of usage was set aside", extra={"entry": entry.id.decode("ascii", "replace"), "why": why, "bytes": len(entry.body)}
    )
    source.set_aside(entry, why)
    rolled.refused += 1
