"""What Redis may hold or say that nobody expects, and that an edge hears again when it is over."""

from __future__ import annotations

import asyncio
import time

import pytest

from controlplane.edge.asking import Trouble
from controlplane.edge.hearing import BOUND_SECONDS
from controlplane.edge.judge import PATIENCE_SECONDS
from controlplane.edge.leases import LAPSE_SECONDS
from tenants.limits.board import CHANGED, EPOCH
from tenants.usage.batches import unpack
from tenants.usage.tally import STREAM
from tests.controlplane.edge.world import OPEN, Holder, Platform, answer, edge_on, until

BOUND = 0.3


@pytest.mark.parametrize(
    "pointer", ["rubbish", "[]", "{}", '{"epoch": 1, "run_id": 1}', '{"epoch": "zz", "run_id": "%s"}', b"\xff"]
)
def test_a_pointer_that_means_nothing_is_no_projection_and_does_not_deafen_for_ever(
    platform: Platform, pointer: str | bytes
) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            redis = platform.board._redis
            run_id = redis.info("server")["run_id"]
            redis.set(EPOCH, pointer.replace("%s", run_id) if isinstance(pointer, str) else pointer)
            assert platform.board.epoch() is None
            await until(lambda: not edge.hearing.is_heard(), within_seconds=2)
            assert (await answer(edge, acme)).trouble is Trouble.UNBUILT
            platform.build(acme)
            await until(edge.hearing.is_heard, within_seconds=3)
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_a_process_that_was_stopped_hears_again_before_it_refuses(platform: Platform) -> None:
    """Whoever came while it stood still must not get its 503s: Redis was there all the time."""
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            assert (await answer(edge, acme)).is_admitted
            heard_at = edge.hearing.heard_at
            await until(lambda: edge.hearing.heard_at != heard_at, within_seconds=1)
            time.sleep(2 * BOUND)  # the loop stands still
            assert not edge.hearing.is_heard()
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_an_epoch_that_is_swapped_in_refuses_nobody(platform: Platform) -> None:
    """Between the swap and the next beat a reading finds an epoch that it does not know."""
    holders = [Holder() for _ in range(5)]
    platform.build(*holders)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            for holder in holders:
                platform.build(*holders)
                assert (await answer(edge, holder)).is_admitted

    asyncio.run(story())


def test_nobody_waits_for_a_projection_that_is_not_built(platform: Platform) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            platform.board._redis.flushall()
            await until(lambda: not edge.hearing.is_heard(), within_seconds=2)
            begun = time.monotonic()
            assert (await answer(edge, acme)).trouble is Trouble.UNBUILT
            assert time.monotonic() - begun < PATIENCE_SECONDS / 2

    asyncio.run(story())


def test_nothing_is_drawn_from_a_redis_that_was_flushed_when_a_beat_has_passed(platform: Platform) -> None:
    """What is drawn from it would be granted twice: the burst is full there, and no quota is used."""
    acme, globex = Holder(), Holder(OPEN)
    platform.build(acme, globex)

    async def story() -> None:
        async with edge_on(platform.url) as edge:  # with the product's own bound, of which most is left
            for holder in (acme, globex):
                assert (await answer(edge, holder)).is_admitted
            platform.board._redis.flushall()
            assert await until(lambda: not edge.hearing.is_heard(), within_seconds=2) < BOUND_SECONDS / 2
            platform.board._redis.flushall()
            await asyncio.sleep(LAPSE_SECONDS)
            assert (await answer(edge, acme)).trouble is Trouble.UNBUILT
            assert (await answer(edge, globex)).is_admitted  # as its tier says, and not from Redis
            assert not list(platform.board._redis.scan_iter(match="edge:spent:*"))
            platform.build(acme, globex)
            await until(edge.hearing.is_heard, within_seconds=1)
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


@pytest.mark.parametrize("message", [b"", b"x", b"rubbish that is no name", bytes(300)])
def test_messages_that_mean_nothing_change_nothing(platform: Platform, message: bytes) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            platform.board._redis.publish(CHANGED, message)
            await asyncio.sleep(2 * BOUND)
            assert edge.hearing.is_heard()
            assert edge.hearing.restarts == 0
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_hearing_outlives_what_it_does_not_understand(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            with monkeypatch.context() as patched:
                patched.setattr(edge.known, "forget", lambda name: 1 / 0)
                platform.write(acme)
                await until(lambda: edge.hearing.restarts > 0, within_seconds=2)
            await until(edge.hearing.is_heard, within_seconds=3)
            platform.revoke(acme)
            await until(lambda: edge.known.find(acme.text.encode()) is None, within_seconds=1)
            assert not (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_a_question_that_cannot_be_sent_gives_nobody_anothers_answer(platform: Platform) -> None:
    """What was not sent has no answer; if its place in the line stayed, each further answer would go to the one before."""
    acme, globex = Holder(), Holder()
    platform.build(acme, globex)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            line = edge.known.line
            assert line is not None
            bad, good = line.call("ECHO", "\ud800"), line.call("ECHO", "acme")
            told = await asyncio.wait_for(asyncio.gather(bad, good, return_exceptions=True), 2)
            assert isinstance(told[0], Exception)
            assert told[1] == b"acme" or isinstance(told[1], Exception)
            assert not line.is_open or await line.call("ECHO", "globex") == b"globex"
            await until(edge.hearing.is_heard, within_seconds=3)
            assert (await answer(edge, acme)).tenant_id == acme.tenant_id

    asyncio.run(story())


def test_the_id_of_a_request_in_flight_is_plain_text(platform: Platform) -> None:
    acme = Holder()
    acme.limits = type(acme.limits)(100, 100, 1_000, concurrency=2)
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            with pytest.raises(ValueError, match="lease"):
                await answer(edge, acme, lease_id="\ud800")
            assert edge.known.line is not None
            assert edge.known.line.is_open
            assert (await answer(edge, acme, lease_id="r1")).is_admitted

    asyncio.run(story())


def test_counts_that_cannot_be_packed_do_not_keep_the_others(platform: Platform) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            edge.tally.count("no id", "at all", 1, "VALID")
            await asyncio.sleep(1.2)
            assert (await answer(edge, acme)).is_admitted
            await until(lambda: platform.board._redis.xlen(STREAM) > 0, within_seconds=3)

    asyncio.run(story())
    told = [unpack(fields[b"batch"]) for _, fields in platform.board._redis.xrange(STREAM)]
    assert [row[0][0] for batch in told for row in batch.rows] == [acme.tenant_id]
