"""What one edge says of keys and limits, on a real Redis."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

import pytest

from controlplane.edge.asking import Trouble
from controlplane.edge.line import Line
from tenants.keys import tokens
from tenants.keys.codes import Code
from tenants.limits.effective import KeyLimits
from tenants.limits.projection import Standing
from tenants.usage.batches import unpack
from tests.controlplane.edge.world import NARROW, WIDE, Holder, Platform, answer, edge_on, until


def code_of(platform: Platform, holder: Holder, **given: object) -> Code:
    async def story() -> Code:
        async with edge_on(platform.url) as edge:
            verdict = await answer(edge, holder, **given)
            assert not verdict.trouble
            again = edge.judge.ask(holder.ask(**given))
            assert again is None or again.code is verdict.code
            return verdict.code

    platform.build(holder)
    return asyncio.run(story())


def test_a_good_key_is_told_whose_it_is_and_what_is_left(platform: Platform) -> None:
    acme = Holder(NARROW, key={"scopes": ("events:read", "events:write")})
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            verdict = await answer(edge, acme, scopes=("events:read",))
            assert (verdict.code, verdict.tenant_id, verdict.key_id, verdict.number) == (Code.VALID, acme.tenant_id, acme.key_id, 1)
            assert verdict.scopes == ("events:read", "events:write")
            assert verdict.limiting is not None
            assert b'RateLimit: "rate";r=4;t=1, "quota-day";r=999999;' in verdict.limiting.lines
            assert [one.remaining for one in verdict.limiting.decision.standings] == [4, 999_999]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("key", "asked", "code"),
    [
        ({"standing": Standing.HALTED}, {}, Code.DISABLED),
        ({"ends_at": int(time.time()) - 1}, {}, Code.EXPIRED),
        ({"cidrs": ("192.0.2.0/24",)}, {"address": "192.0.3.1"}, Code.FORBIDDEN),
        ({"cidrs": ("192.0.2.0/24",)}, {}, Code.FORBIDDEN),
        ({"cidrs": ("192.0.2.0/24",)}, {"address": "rubbish"}, Code.FORBIDDEN),
        ({"cidrs": ("192.0.2.0/24",)}, {"address": "::ffff:192.0.2.9"}, Code.VALID),
        ({"cidrs": ("2001:db8::/32",)}, {"address": "2001:db8::1"}, Code.VALID),
        ({"scopes": ("a:read",)}, {"scopes": ("a:write",)}, Code.INSUFFICIENT_PERMISSIONS),
        ({"scopes": ("a:read", "a:write")}, {"scopes": ("a:write", "a:read")}, Code.VALID),
        ({}, {"scopes": ("a:write",)}, Code.INSUFFICIENT_PERMISSIONS),
        ({"limits": KeyLimits(quota_per_day=0)}, {}, Code.USAGE_EXCEEDED),
    ],
)
def test_what_stands_against_a_key(platform: Platform, key: dict[str, object], asked: dict[str, object], code: Code) -> None:
    assert code_of(platform, Holder(key=key), **asked) is code


def test_a_halted_tenants_keys_are_disabled(platform: Platform) -> None:
    assert code_of(platform, Holder(standing=Standing.HALTED)) is Code.DISABLED


def test_keys_under_an_older_pepper_go_on(platform: Platform) -> None:
    assert code_of(platform, Holder(pepper=1)) is Code.VALID


def test_imported_keys_are_found_by_their_hash(platform: Platform) -> None:
    foreign = "sk_of_another_system_1234567890"
    acme = Holder(text=tokens.foreign_hash(foreign))
    platform.build(acme)

    async def story() -> Code:
        async with edge_on(platform.url) as edge:
            return (await answer(edge, Holder(text=foreign))).code

    assert asyncio.run(story()) is Code.VALID
    assert code_of(platform, acme) is Code.NOT_FOUND, "whoever holds the hash holds no key"


def test_what_cannot_be_a_key_costs_redis_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = Holder()
    platform.build(acme)
    typo = acme.text[:-1] + ("0" if acme.text[-1] != "0" else "1")
    asked: list[object] = []
    call = Line.call

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            monkeypatch.setattr(Line, "call", lambda self, *command: asked.append(command) or call(self, *command))
            for text in (typo, "", "short", "x" * 600):
                verdict = edge.judge.ask(Holder(text=text).ask())
                assert verdict is not None
                assert verdict.code is Code.NOT_FOUND
            assert [command for command in asked if command[0] == "MGET"] == []
            unknown = Holder()
            assert edge.judge.ask(unknown.ask()) is None
            assert (await edge.judge.decide(unknown.ask())).code is Code.NOT_FOUND
            asked.clear()
            for _ in range(20):
                verdict = edge.judge.ask(unknown.ask())
                assert verdict is not None
                assert verdict.code is Code.NOT_FOUND
            assert [command for command in asked if command[0] == "MGET"] == []

    asyncio.run(story())


def test_no_text_of_a_key_is_kept(platform: Platform) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            kept = repr([*edge.known.keys, *(getattr(key, name) for key in edge.known.keys.values() for name in key.__slots__)])
            assert acme.text not in kept
            assert acme.text not in repr(acme.ask())

    asyncio.run(story())


def test_revoked_suspended_and_limited_at_once(platform: Platform) -> None:
    acme, globex, initech = Holder(), Holder(), Holder()
    platform.build(acme, globex, initech)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            for holder in (acme, globex, initech):
                for _ in range(3):
                    assert (await answer(edge, holder)).is_admitted
            platform.revoke(acme)
            platform.write(replace(globex, standing=Standing.HALTED))
            platform.write(replace(initech, limits=replace(WIDE, quota_per_day=3)))
            await until(lambda: edge.known.find(acme.text.encode()) is None, within_seconds=1)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND
            assert (await answer(edge, globex)).code is Code.DISABLED
            assert (await answer(edge, initech)).code is Code.USAGE_EXCEEDED
            platform.write(acme)  # a key that appears is seen as well, though it was remembered as nobody's
            await until(lambda: edge.known.find(acme.text.encode()) is None, within_seconds=1)
            assert (await answer(edge, acme)).is_admitted

    asyncio.run(story())


def test_a_version_ends_when_it_ends_though_nobody_says_so(platform: Platform) -> None:
    acme = Holder(key={"ends_at": int(time.time()) + 2})
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            key = edge.known.find(acme.text.encode())
            assert key is not None
            assert key.until <= key.ends <= time.monotonic() + 2
            key.ends = key.until = time.monotonic()
            edge.known.forget(b"edge0000" + key.names[0])  # as if its time had come
            platform.write(replace(acme, key={"ends_at": int(time.time())}))
            assert (await answer(edge, acme)).code is Code.EXPIRED

    asyncio.run(story())


def test_a_reading_that_was_overtaken_is_begun_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            read_once, readings = edge.lookups._read_once, []

            async def overtaken(digests: object) -> object:
                known = await read_once(digests)  # type: ignore[arg-type]
                readings.append(known)
                if len(readings) == 1:
                    mark = edge.known.changes.mark
                    platform.revoke(acme)
                    await until(lambda: edge.known.changes.mark > mark, within_seconds=1)
                return known

            monkeypatch.setattr(edge.lookups, "_read_once", overtaken)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND
            assert len(readings) == 2
            assert edge.judge.ask(acme.ask()) is not None

    asyncio.run(story())


def test_a_new_epoch_takes_the_place_of_what_was_known(platform: Platform) -> None:
    acme, globex = Holder(), Holder()
    platform.build(acme, globex)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            assert (await answer(edge, globex)).is_admitted
            platform.build(globex)
            await until(lambda: not edge.known.keys, within_seconds=1)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND
            assert (await answer(edge, globex)).is_admitted

    asyncio.run(story())


def test_without_a_projection_nobody_is_unknown(platform: Platform) -> None:
    async def story() -> None:
        async with edge_on(platform.url, within_seconds=0.3) as edge:
            verdict = await answer(edge, Holder())
            assert (verdict.is_admitted, verdict.trouble) == (False, Trouble.UNBUILT)
            platform.build()
            await until(edge.hearing.is_heard, within_seconds=2)
            assert (await answer(edge, Holder())).trouble is Trouble.NONE

    asyncio.run(story())


def test_requests_in_flight_are_counted_where_they_are_named(platform: Platform) -> None:
    acme = Holder(replace(WIDE, concurrency=2))
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert [(await answer(edge, acme, lease_id=name)).code for name in ("r1", "r2", "r3")] == [
                Code.VALID,
                Code.VALID,
                Code.RATE_LIMITED,
            ]
            assert (await answer(edge, acme)).is_admitted, "a door that cannot tell when a request ends does not count it"
            await edge.judge.give_back(acme.tenant_id, acme.key_id, "r1")
            assert (await answer(edge, acme, lease_id="r3")).is_admitted

    asyncio.run(story())


def test_a_request_in_flight_is_its_keys_own_whatever_others_call_theirs(platform: Platform) -> None:
    acme = Holder(replace(WIDE, concurrency=2))
    sibling = Holder(acme.limits, tenant_id=acme.tenant_id)
    platform.build(acme, sibling)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme, lease_id="r1")).is_admitted
            assert (await answer(edge, sibling, lease_id="r1")).is_admitted
            assert not (await answer(edge, acme, lease_id="r2")).is_admitted, "two are two, though both are called r1"
            await edge.judge.give_back(sibling.tenant_id, sibling.key_id, "r1")
            await edge.judge.give_back(sibling.tenant_id, sibling.key_id, "r1")
            assert (await answer(edge, acme, lease_id="r2")).is_admitted
            assert not (await answer(edge, sibling, lease_id="r3")).is_admitted, "only its own has ended"

    asyncio.run(story())


def test_the_platforms_slots_are_shared_among_tenants_that_have_no_limit_in_flight_of_their_own(platform: Platform) -> None:
    acme, globex = Holder(), Holder()
    platform.build(acme, globex)

    async def story() -> None:
        async with edge_on(platform.url, slots=2) as edge, edge_on(platform.url, slots=2) as other:
            assert (await answer(edge, acme)).is_admitted
            assert [(await answer(edge, acme, lease_id=name)).code for name in ("r1", "r2")] == [Code.VALID, Code.VALID]
            refused = await answer(other, acme, lease_id="r3")
            assert refused.code is Code.RATE_LIMITED
            assert refused.limiting is not None
            assert refused.limiting.decision.refused_by == "platform-concurrency"
            assert b'"platform-concurrency";q=1;qu="concurrent-requests"' in refused.limiting.lines
            assert (await answer(edge, acme)).is_admitted, "what does not say when it ends is not counted in flight"
            assert (await answer(edge, acme, lease_id="r1")).is_admitted, "what runs goes on"
            await other.judge.give_back(acme.tenant_id, acme.key_id, "r2")
            assert (await answer(other, globex, lease_id="r1")).is_admitted, "its own"
            assert not (await answer(edge, acme, lease_id="r3")).is_admitted
            await edge.judge.give_back(acme.tenant_id, acme.key_id, "r1")
            assert (await answer(edge, acme, lease_id="r3")).is_admitted

    asyncio.run(story())


def test_whoever_goes_away_while_it_is_asked_leaves_no_slot_taken(platform: Platform) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url, slots=1) as edge:
            assert (await answer(edge, acme)).is_admitted
            gone = asyncio.ensure_future(edge.judge.decide(acme.ask(lease_id="gone")))
            for _ in range(3):
                await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait([gone])
            assert gone.cancelled()
            assert (await answer(edge, acme, lease_id="next")).is_admitted

    asyncio.run(story())


def test_memory_is_bounded(platform: Platform) -> None:
    holders = [Holder() for _ in range(12)]
    platform.build(*holders)

    async def story() -> None:
        async with edge_on(platform.url, most_keys=5) as edge:
            for holder in [*holders, *(Holder() for _ in range(20))]:
                await answer(edge, holder)
            known = edge.known
            assert (len(known.keys), len(known.tenants), len(known.leases)) <= (5, 5, 5)
            assert len(known.unknown) == 1
            assert len(known._places) <= (5 + 1) * 2
            assert (await answer(edge, holders[0])).is_admitted

    asyncio.run(story())


def test_header_lines_are_header_lines(platform: Platform) -> None:
    acme = Holder(NARROW)
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            verdicts = [await answer(edge, acme) for _ in range(7)]
            assert [verdict.is_admitted for verdict in verdicts] == [True] * 5 + [False] * 2
            for verdict in verdicts:
                assert verdict.limiting is not None
                assert re.fullmatch(rb"([A-Za-z-]+: [^\r\n]+\r\n)+", verdict.limiting.lines)
            last = verdicts[-1].limiting
            assert last is not None
            assert b"Retry-After: 1\r\n" in last.lines
            assert last.decision.refused_by == "rate"

    asyncio.run(story())


def test_a_look_spends_nothing_and_is_not_counted(platform: Platform) -> None:
    acme, globex = Holder(NARROW), Holder(standing=Standing.HALTED)
    platform.build(acme, globex)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            for _ in range(9):
                assert (await answer(edge, acme, cost=0)).code is Code.VALID
                assert (await answer(edge, globex, cost=0)).code is Code.DISABLED
            assert edge.tally.take() is None
            assert [(await answer(edge, acme)).is_admitted for _ in range(6)] == [True] * 5 + [False]
            assert (await answer(edge, acme, cost=0)).code is Code.VALID
            batch = edge.tally.take()
            assert batch is not None
            assert sum(requests for _, requests, _ in unpack(batch.body).rows) == 6

    asyncio.run(story())
