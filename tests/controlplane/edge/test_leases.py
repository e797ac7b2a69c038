"""What leases hold when limits, Redis or the line change under them, and what a process does by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

import pytest

from controlplane.edge.alone import Alone
from controlplane.edge.edge import Edge
from controlplane.edge.leases import FAR_BELOW_SECONDS, LAPSE_SECONDS, Lease
from controlplane.edge.line import Line
from tenants.keys.codes import Code
from tenants.limits import putting_back
from tenants.limits.effective import KeyLimits, Limits
from tests.controlplane.edge.world import OPEN, WIDE, Holder, Platform, answer, edge_on, until


def lease_of(edge: Edge, holder: Holder) -> Lease:
    return edge.known.leases[holder.tenant_id, ""]


def left_of(edge: Edge, holder: Holder) -> int:
    """What Redis said last of the day's quota."""
    return next(one.remaining for one in lease_of(edge, holder).snapshot.decision.standings if one.name == "quota-day")


def test_what_was_drawn_while_a_limit_was_lowered_counts_no_more(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = Holder(WIDE)
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            lease, run, lowered = lease_of(edge, acme), Line.run, replace(acme.limits, rate_per_second=1, burst=1)

            async def run_late(line: Line, *given: object) -> object:
                reply = await run(line, *given)  # type: ignore[arg-type]
                lease.hold_to(lowered, None)
                return reply

            lease.left, lease.lapses, lease._size = 0, float("inf"), 512
            monkeypatch.setattr(Line, "run", run_late)
            assert (await answer(edge, acme)).is_admitted
            assert lease.left == 0
            assert [one.tokens for one in lease._returned] == [1_024]

    asyncio.run(story())


@pytest.mark.parametrize(("asked", "seconds"), [(1, FAR_BELOW_SECONDS), (6, LAPSE_SECONDS)])
def test_tokens_live_longer_where_nobody_misses_them(platform: Platform, asked: int, seconds: float) -> None:
    """Half of the burst of ten: after six requests less than that is left, and others may need what lies here."""
    acme = Holder(Limits(4, 10, 10**6))
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme, cost=asked)).is_admitted
            assert lease_of(edge, acme).lapses - monotonic() == pytest.approx(seconds, abs=0.2)

    asyncio.run(story())


def test_a_keys_own_rate_says_too_whether_anybody_misses_them(platform: Platform) -> None:
    acme = Holder(WIDE, key={"limits": KeyLimits(rate_per_second=1, burst=4)})
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme, cost=3)).is_admitted
            assert edge.known.leases[acme.tenant_id, acme.key_id].lapses - monotonic() < LAPSE_SECONDS

    asyncio.run(story())


def test_a_refusal_under_limits_that_were_raised_meanwhile_is_not_remembered(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = Holder(replace(WIDE, quota_per_day=1))
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            lease, run = lease_of(edge, acme), Line.run

            async def run_late(line: Line, *given: object) -> object:
                reply = await run(line, *given)  # type: ignore[arg-type]
                lease.hold_to(WIDE, None)
                return reply

            with monkeypatch.context() as patched:
                patched.setattr(Line, "run", run_late)
                assert (await answer(edge, acme)).code is Code.USAGE_EXCEEDED
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_what_was_drawn_of_a_redis_that_was_lost_is_not_given_back_to_the_next(platform: Platform) -> None:
    """What is put back is what was used. Tokens that were drawn and not used are not in it, and must not be taken off it."""
    acme = Holder(replace(WIDE, quota_per_day=10_000))
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            lease = lease_of(edge, acme)
            lease.left, lease.lapses, lease._size = 0, float("inf"), 64
            assert (await answer(edge, acme)).is_admitted
            drawn = lease.left
            assert drawn > 50
            platform.board._redis.flushall()
            counted = {acme.tenant_id: (1_000, 1_000)}
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(putting_back, "_counting", {"tenants": lambda ids, now: counted})
                platform.board.put_back([acme.tenant_id], datetime.now(UTC))
            pointer = edge.known.pointer
            platform.build(acme)
            await until(lambda: edge.known.pointer not in (None, pointer), within_seconds=3)
            lease.lapses = 0.0
            assert (await answer(edge, acme)).is_admitted
            assert left_of(edge, acme) <= 10_000 - 1_001

    asyncio.run(story())


def test_keys_with_limits_of_their_own_share_their_tenants_part_when_alone() -> None:
    limits, key_limits = Limits(1, 10, 1_000), KeyLimits(quota_per_day=3)
    alone, ask, codes = Alone(1), Holder(OPEN).ask(), []
    for number in range(8):
        lease = Lease("tnt_acme", f"key_{number}")
        lease.hold_to(limits, key_limits)
        codes += [alone.decide(lease, ask).snapshot for _ in range(4)]
    assert sum(snapshot.code is Code.VALID for snapshot in codes) == 10
    assert [snapshot.refused_by for snapshot in codes[:5]] == ["", "", "", "key-quota-day", ""]


@pytest.mark.parametrize("is_named", [False, True])
def test_a_quota_that_was_used_up_is_used_up_when_alone(platform: Platform, is_named: bool) -> None:
    acme = Holder(replace(OPEN, quota_per_day=3, concurrency=10))
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            codes = [(await answer(edge, acme, lease_id=f"r{turn}" if is_named else "")).code for turn in range(4)]
            assert codes == [Code.VALID] * 3 + [Code.USAGE_EXCEEDED]
            assert edge.judge._alone.decide(lease_of(edge, acme), acme.ask()).snapshot.code is Code.USAGE_EXCEEDED

    asyncio.run(story())
