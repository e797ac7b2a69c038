"""Limits that tenants keep here for others."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.edge.counting import Counting
from tenants.keys.codes import Code
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
