"""Redis flushed, killed, restarted, frozen, its connections cut: what is admitted meanwhile, and that all is well again by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controlplane.edge import judge as judging
from controlplane.edge.asking import Trouble
from controlplane.edge.edge import Edge
from tenants.keys.codes import Code
from tenants.limits.projection import Kind, Standing
from tests.controlplane.edge.world import OPEN, WIDE, Holder, Platform, answer, edge_on, until
from tests.services import HeldPort, Valkey

BOUND = 0.3
SLACK = 0.4


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """One for each test: it will not live long."""
    service = Valkey()
    service.start()
    yield service
    service.stop()


@asynccontextmanager
async def both_known(platform: Platform, closed: Holder, open_: Holder) -> AsyncIterator[Edge]:
    platform.build(closed, open_)
    async with edge_on(platform.url, bound_seconds=BOUND) as edge:
        for holder in (closed, open_):
            assert (await answer(edge, holder)).is_admitted
        yield edge


def frozen(valkey: Valkey) -> None:
    assert valkey.process is not None
    os.kill(valkey.process.pid, signal.SIGSTOP)


def thawed(valkey: Valkey) -> None:
    assert valkey.process is not None
    os.kill(valkey.process.pid, signal.SIGCONT)


def killed(valkey: Valkey) -> None:
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()


def started_again(valkey: Valkey) -> None:
    """A new process at the same address, empty."""
    number = valkey.port.number
    again = Valkey.__new__(Valkey)
    again.__dict__ = dict(valkey.__dict__)
    again.port = HeldPort.__new__(HeldPort)
    again.port.number, again.port.release = number, lambda: number  # type: ignore[method-assign]
    again.start()
    valkey.process = again.process


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_while_redis_is_away_each_tier_has_its_way(platform: Platform, valkey: Valkey, how: str) -> None:
    closed, open_ = Holder(WIDE), Holder(replace(OPEN, rate_per_second=1, burst=10))

    async def story() -> None:
        async with both_known(platform, closed, open_) as edge:
            killed(valkey) if how == "killed" else frozen(valkey)
            await until(lambda: not edge.hearing.is_heard(), within_seconds=BOUND + SLACK)
            assert edge.judge.ask(closed.ask()) is None
            verdict = await answer(edge, closed)
            assert (verdict.is_admitted, verdict.trouble, verdict.limiting) == (False, Trouble.UNHEARD, None)
            verdicts = [await answer(edge, open_) for _ in range(12)]
            assert [one.is_admitted for one in verdicts] == [True] * 10 + [False] * 2
            assert verdicts[-1].code is Code.RATE_LIMITED
            assert (await answer(edge, Holder(OPEN))).trouble is Trouble.UNHEARD, "nobody new while nothing is heard"
            assert edge.hearing.heard_seconds_ago > BOUND
            if how == "killed":
                started_again(valkey)
                platform.build(closed, open_)
            else:
                thawed(valkey)
            await until(edge.hearing.is_heard, within_seconds=3)
            assert (await answer(edge, closed)).is_admitted

    asyncio.run(story())


def test_an_open_tiers_ended_and_revoked_keys_stay_out(platform: Platform, valkey: Valkey) -> None:
    revoked, ending, closed = Holder(OPEN), Holder(OPEN), Holder(WIDE)

    async def story() -> None:
        async with both_known(platform, closed, revoked) as edge:
            platform.write(ending)
            assert (await answer(edge, ending)).is_admitted
            platform.revoke(revoked)
            await until(lambda: edge.known.find(revoked.text.encode()) is None, within_seconds=1)
            killed(valkey)
            await until(lambda: not edge.hearing.is_heard(), within_seconds=BOUND + SLACK)
            assert not (await answer(edge, revoked)).is_admitted
            assert (await answer(edge, ending)).is_admitted
            key = edge.known.find(ending.text.encode())
            assert key is not None
            key.ends = time.monotonic()
            assert (await answer(edge, ending)).code is Code.EXPIRED

    asyncio.run(story())


def test_open_does_not_mean_for_ever(platform: Platform, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    open_, closed = Holder(OPEN), Holder(WIDE)
    monkeypatch.setattr(judging, "OPEN_SECONDS", 1.0)

    async def story() -> None:
        async with both_known(platform, closed, open_) as edge:
            killed(valkey)
            await until(lambda: not edge.hearing.is_heard(), within_seconds=BOUND + SLACK)
            assert (await answer(edge, open_)).is_admitted
            edge.hearing.heard_at -= 1.0
            assert (await answer(edge, open_)).trouble is Trouble.UNHEARD

    asyncio.run(story())


def test_several_processes_share_what_is_known_while_redis_is_away(platform: Platform, valkey: Valkey) -> None:
    open_ = Holder(replace(OPEN, rate_per_second=1, burst=10, quota_per_day=1_000))
    platform.build(open_)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND, processes=5) as edge:
            assert (await answer(edge, open_)).is_admitted
            killed(valkey)
            await until(lambda: not edge.hearing.is_heard(), within_seconds=BOUND + SLACK)
            verdicts = [await answer(edge, open_) for _ in range(4)]
            assert [one.is_admitted for one in verdicts] == [True, True, False, False]
            limiting = verdicts[1].limiting
            assert limiting is not None
            day = {one.name: one for one in limiting.decision.standings}["quota-day"]
            assert (day.quota, day.remaining) == (200, 999 // 5 - 2)

    asyncio.run(story())


def test_a_flush_is_noticed_and_a_key_that_was_revoked_since_stays_revoked(platform: Platform, valkey: Valkey) -> None:
    acme, globex = Holder(WIDE), Holder(OPEN)

    async def story() -> None:
        async with both_known(platform, acme, globex) as edge:
            platform.board._redis.flushall()
            await until(lambda: edge.known.epoch is None, within_seconds=1)
            await until(lambda: not edge.hearing.is_heard(), within_seconds=BOUND + SLACK)
            verdict = await answer(edge, acme)
            assert (verdict.is_admitted, verdict.trouble) == (False, Trouble.UNBUILT)
            assert (await answer(edge, globex)).is_admitted
            platform.build(globex)  # meanwhile acme's key was revoked, while there was no epoch to write that into
            await until(edge.hearing.is_heard, within_seconds=1)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND
            assert (await answer(edge, globex)).is_admitted

    asyncio.run(story())


def test_an_older_snapshot_counts_for_nothing(platform: Platform, valkey: Valkey) -> None:
    """As when Redis comes back with what it had saved an hour ago: the pointer in it names the process that wrote it."""
    acme, globex = Holder(WIDE), Holder(WIDE)

    async def story() -> None:
        async with both_known(platform, acme, globex) as edge:
            redis = platform.board._redis
            saved = {name: redis.dump(name) for name in redis.scan_iter()}
            platform.revoke(acme)
            killed(valkey)
            started_again(valkey)
            for name, value in saved.items():
                redis.restore(name, 0, value, replace=True)
            await until(lambda: edge.known.line is not None and edge.known.line.is_open, within_seconds=3)
            await asyncio.sleep(BOUND)
            assert not edge.hearing.is_heard()
            assert (await answer(edge, acme)).trouble is Trouble.UNBUILT
            platform.build(globex)
            await until(edge.hearing.is_heard, within_seconds=2)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
def test_a_connection_that_was_cut_comes_back_and_nothing_is_missed(platform: Platform, valkey: Valkey, kind: str) -> None:
    acme, globex = Holder(WIDE), Holder(WIDE)

    async def story() -> None:
        async with both_known(platform, acme, globex) as edge:
            platform.board._redis.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            platform.revoke(acme)  # nobody may be listening now
            await until(lambda: edge.hearing.restarts > 0, within_seconds=2)
            await until(edge.hearing.is_heard, within_seconds=2)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND
            assert (await answer(edge, globex)).is_admitted

    asyncio.run(story())


def test_revoked_keys_are_not_admitted_after_the_bound_whatever_happens(platform: Platform, valkey: Valkey) -> None:
    """Keys are revoked one after the other while Redis is cut, paused and flushed; of each, the last admission is noted."""
    holders, globex = [Holder(WIDE) for _ in range(12)], Holder(WIDE)

    async def story() -> None:
        platform.build(globex, *holders)
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            for turn, holder in enumerate(holders):
                await until(edge.hearing.is_heard, within_seconds=5)
                assert (await answer(edge, holder)).is_admitted
                redis = platform.board._redis
                if turn % 3 == 0:
                    redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                elif turn % 3 == 1:
                    redis.execute_command("CLIENT", "PAUSE", "150", "WRITE")
                else:
                    redis.flushall()
                    platform.build(globex, *holders[turn + 1 :])
                platform.revoke(holder)
                revoked_at = time.monotonic()
                while time.monotonic() < revoked_at + 2 * BOUND:
                    asked_at = time.monotonic()
                    if (await answer(edge, holder)).is_admitted:
                        assert asked_at - revoked_at < BOUND
                    await asyncio.sleep(0.005)

    asyncio.run(story())


def test_redis_that_refuses_is_not_a_reason_to_admit(platform: Platform, valkey: Valkey) -> None:
    """Out of memory: Redis answers, and takes nothing."""
    acme = Holder(WIDE)
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            assert (await answer(edge, acme)).is_admitted
            platform.board._redis.config_set("maxmemory", "1mb")
            platform.board._redis.config_set("maxmemory-policy", "noeviction")
            lease = next(iter(edge.known.leases.values()))
            lease.left = 0
            verdict = await answer(edge, acme)
            assert (verdict.is_admitted, bool(verdict.trouble)) == (False, True)
            platform.board._redis.config_set("maxmemory", "0")
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_an_open_tier_has_its_limits_while_redis_refuses(platform: Platform, valkey: Valkey) -> None:
    """Redis is heard, and takes nothing: each request fails there anew, and none may begin the limits anew."""
    acme = Holder(replace(OPEN, rate_per_second=1, burst=5, quota_per_day=1_000))
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, bound_seconds=BOUND) as edge:
            assert (await answer(edge, acme)).is_admitted
            platform.board._redis.config_set("maxmemory", "1mb")
            platform.board._redis.config_set("maxmemory-policy", "noeviction")
            verdicts = [await answer(edge, acme) for _ in range(20)]
            assert sum(one.is_admitted for one in verdicts) == 5
            assert verdicts[-1].code is Code.RATE_LIMITED

    asyncio.run(story())


def test_a_change_that_was_heard_and_could_not_be_read_counts_while_redis_is_away(platform: Platform, valkey: Valkey) -> None:
    acme, globex = Holder(OPEN), Holder(WIDE)

    async def story() -> None:
        async with both_known(platform, globex, acme) as edge:
            acme.standing = Standing.HALTED
            records = acme.records(platform.board.draw_stamp())
            platform.board.write({name: record for name, record in records.items() if name[0] is Kind.TENANT})
            await until(lambda: len(edge.known.tenants) == 1, within_seconds=1)
            killed(valkey)
            await until(lambda: not edge.hearing.is_heard(), within_seconds=BOUND + SLACK)
            verdict = await answer(edge, acme)
            assert (verdict.is_admitted, verdict.trouble) == (False, Trouble.UNHEARD)

    asyncio.run(story())
