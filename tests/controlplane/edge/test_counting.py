"""Limits that tenants keep here for others."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.edge.asking import CrowdedError
from controlplane.edge.counting import CLEARED, REGISTER, Counting
from tenants.keys.codes import Code
from tenants.limits.bills import place_of
from tests.controlplane.edge.world import Platform, edge_on


def test_a_limit_holds_by_tenant_namespace_and_identifier(platform: Platform) -> None:
    platform.build()

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            counting = Counting(edge.known)

            async def count(tenant: str = "acme", namespace: str = "mail", identifier: str = "user_1", cost: int = 1) -> Code:
                decision = await counting.limit(tenant, namespace, identifier, 3, 60_000, cost)
                assert decision is not None
                return decision.code

            assert [await count() for _ in range(4)] == [Code.VALID] * 3 + [Code.RATE_LIMITED]
            assert await count(cost=0) is Code.VALID
            assert await count(tenant="globex") is Code.VALID
            assert await count(namespace="mai", identifier="luser_1") is Code.VALID
            assert await count(identifier="user_2", cost=4) is Code.RATE_LIMITED
            decision = await counting.limit("acme", "mail", "user_1", 3, 60_000, 1)
            assert decision is not None
            (standing,) = decision.standings
            assert (standing.quota, standing.remaining, decision.refused_by) == (3, 0, "ratelimit")
            assert 0 < (decision.retry_after_us or 0) <= 20_000_000
            names = list(platform.board._redis.scan_iter(match="edge:named:*"))
            assert len(names) == 3
            assert not any(b"user_1" in name or b"acme" in name for name in names)

    asyncio.run(story())


def test_nobody_counts_while_redis_is_away(platform: Platform) -> None:
    platform.build()

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            counting = Counting(edge.known)
            await edge.hearing.stop()
            assert await counting.limit("acme", "mail", "user_1", 3, 60_000, 1) is None
            with pytest.raises(ValueError, match="positive"):
                await counting.limit("acme", "mail", "user_1", 0, 60_000, 1)

    asyncio.run(story())


def test_a_tenant_has_so_many_counters_at_once_and_no_more(platform: Platform) -> None:
    platform.build()
    redis = platform.board._redis

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            counting = Counting(edge.known, most=5)

            async def count(identifier: str, *, tenant: str = "acme", duration_ms: int = 30_000, cost: int = 1) -> Code:
                decision = await counting.limit(tenant, "mail", identifier, 3, duration_ms, cost)
                assert decision is not None
                return decision.code

            for number in range(5):
                assert await count(f"user_{number}") is Code.VALID
            with pytest.raises(CrowdedError) as crowded:
                await count("user_5")
            assert 0 < crowded.value.retry_after_us <= 10_002_000  # a third of the limit was used, so a third of the window
            assert [await count("user_0") for _ in range(3)] == [Code.VALID, Code.VALID, Code.RATE_LIMITED]
            assert await count("user_5", cost=0) is Code.VALID
            assert await count("user_5", tenant="globex") is Code.VALID
            assert redis.zcard(REGISTER + place_of("acme")) == 5
            assert len(list(redis.scan_iter(match="edge:named:*"))) == 6
            lives = [redis.pttl(name) for name in redis.scan_iter(match="edge:*ed:*")]
            assert all(0 < life <= 30_002 for life in lives)
            assert 29_000 < redis.pttl(REGISTER + place_of("acme")) <= 30_002

    asyncio.run(story())


def test_ended_counters_make_room_and_leave_nothing(platform: Platform) -> None:
    platform.build()
    redis, most = platform.board._redis, CLEARED + 40

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            counting = Counting(edge.known, most=most)
            for number in range(most):
                await counting.limit("acme", "mail", f"user_{number}", 1, 1_000, 1)
            with pytest.raises(CrowdedError):
                await counting.limit("acme", "mail", "one more", 1, 60_000, 1)
            await asyncio.sleep(1.1)
            assert not list(redis.scan_iter(match="edge:named:*"))
            assert not redis.exists(REGISTER + place_of("acme"))
            await counting.limit("acme", "mail", "stays", 1, 60_000, 1)
            register = REGISTER + place_of("acme")
            redis.zadd(register, {f"ended_{number}": 1 for number in range(most - 1)})
            await counting.limit("acme", "mail", "one more", 1, 60_000, 1)
            assert redis.zcard(register) == most - CLEARED + 1

    asyncio.run(story())


def test_a_refused_first_count_makes_no_counter(platform: Platform) -> None:
    platform.build()

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            decision = await Counting(edge.known).limit("acme", "mail", "user_1", 3, 60_000, 4)
            assert decision is not None
            assert not decision.is_admitted
            assert not list(platform.board._redis.scan_iter(match="edge:named:*"))
            assert not platform.board._redis.exists(REGISTER + place_of("acme"))

    asyncio.run(story())
