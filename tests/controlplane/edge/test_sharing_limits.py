"""Several edges, one tenant: what leases keep and what they cost. Nothing is ever admitted twice; what may be refused too early is bounded."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from controlplane.edge import leases
from controlplane.edge.edge import Edge
from tenants.keys.codes import Code
from tenants.limits.effective import KeyLimits
from tests.controlplane.edge.world import NARROW, WIDE, Holder, Platform, answer, edge_on


async def hammer(edge: Edge, holder: Holder, seconds: float, at_once: int) -> int:
    """Ask as fast as possible for so long; gives how many were admitted."""

    async def one() -> int:
        admitted = 0
        while time.monotonic() < until:
            admitted += (await answer(edge, holder)).is_admitted
            await asyncio.sleep(0)
        return admitted

    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(one() for _ in range(at_once))))


async def hammered(platform: Platform, holder: Holder, *, edges: int, seconds: float, at_once: int = 8) -> tuple[int, float]:
    """All edges at once; gives how many were admitted and how long that took, measured from outside."""
    async with AsyncExitStack() as stack:
        group = [await stack.enter_async_context(edge_on(platform.url)) for _ in range(edges)]
        begun = time.monotonic()
        admitted = await asyncio.gather(*(hammer(edge, holder, seconds, at_once) for edge in group))
        return sum(admitted), time.monotonic() - begun


def test_a_rate_is_never_exceeded_by_several_edges(platform: Platform) -> None:
    acme = Holder(replace(WIDE, rate_per_second=500, burst=100))
    platform.build(acme)
    admitted, took = asyncio.run(hammered(platform, acme, edges=4, seconds=1.5))
    assert admitted <= 100 + 500 * took
    assert admitted >= 0.8 * (100 + 500 * 1.5), "what lies in leases is small beside the rate"


def test_a_small_rate_is_exact(platform: Platform) -> None:
    acme = Holder(NARROW)
    platform.build(acme)
    admitted, took = asyncio.run(hammered(platform, acme, edges=3, seconds=0.5))
    assert 5 - 3 <= admitted <= 5 + took, "each edge may hold one token back"


def test_a_quota_is_used_to_the_last_and_not_beyond(platform: Platform) -> None:
    acme = Holder(replace(WIDE, quota_per_day=3_000))
    platform.build(acme)

    async def story() -> tuple[int, list[Code]]:
        async with AsyncExitStack() as stack:
            group = [await stack.enter_async_context(edge_on(platform.url)) for _ in range(3)]
            admitted, refused_in_a_row = 0, 0
            codes: list[Code] = []
            give_up_at = time.monotonic() + 20
            while refused_in_a_row < 30 and time.monotonic() < give_up_at:
                for edge in group:
                    verdict = await answer(edge, acme)
                    admitted += verdict.is_admitted
                    refused_in_a_row = 0 if verdict.is_admitted else refused_in_a_row + 1
                    codes.append(verdict.code)
                    if not verdict.is_admitted:
                        # What lapsed is given back with the next draw; time and again one is due, as a remembered refusal ends.
                        await asyncio.sleep(leases.LAPSE_SECONDS / 4)
                        for lease in edge.known.leases.values():
                            lease.refused_until = 0.0
            return admitted, codes

    admitted, codes = asyncio.run(story())
    assert admitted == 3_000
    assert codes[-1] is Code.USAGE_EXCEEDED


def test_a_keys_own_limits_hold_beside_its_tenants(platform: Platform) -> None:
    acme = Holder(replace(WIDE, rate_per_second=1, burst=6), key={"limits": KeyLimits(rate_per_second=1, burst=4)})
    other = Holder(acme.limits, tenant_id=acme.tenant_id)
    platform.build(acme, other)

    async def story() -> tuple[list[bool], list[bool]]:
        async with edge_on(platform.url) as edge:
            first = [(await answer(edge, acme)).is_admitted for _ in range(6)]
            return first, [(await answer(edge, other)).is_admitted for _ in range(4)]

    first, second = asyncio.run(story())
    assert first == [True] * 4 + [False] * 2
    assert second == [True] * 2 + [False] * 2, "all keys of a tenant share what it has"


def test_a_busy_tenant_costs_redis_almost_nothing(platform: Platform) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> tuple[int, int]:
        async with edge_on(platform.url) as edge:
            before = platform.board._redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
            for _ in range(5_000):
                assert (await answer(edge, acme)).is_admitted
            return before, platform.board._redis.info("commandstats")["cmdstat_evalsha"]["calls"]

    before, after = asyncio.run(story())
    assert after - before < 60


def test_a_flood_of_refusals_costs_redis_almost_nothing(platform: Platform) -> None:
    acme = Holder(NARROW)
    platform.build(acme)

    async def story() -> int:
        async with edge_on(platform.url) as edge:
            for _ in range(5):
                await answer(edge, acme)
            before = platform.board._redis.info("commandstats")["cmdstat_evalsha"]["calls"]
            begun = time.monotonic()
            for _ in range(2_000):
                await answer(edge, acme)
            assert time.monotonic() - begun < 5
            return platform.board._redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before

    assert asyncio.run(story()) < 20


def test_costs_count(platform: Platform) -> None:
    acme = Holder(NARROW)
    platform.build(acme)

    async def story() -> list[bool]:
        async with edge_on(platform.url) as edge:
            return [(await answer(edge, acme, cost=cost)).is_admitted for cost in (6, 3, 3, 2)]

    assert asyncio.run(story()) == [False, True, False, True], "a refusal of much does not refuse little"
