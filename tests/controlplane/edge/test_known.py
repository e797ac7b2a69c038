"""The local copy: what is read under one line and not under the next, what grows old, what is bounded."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controlplane.edge import lookups as looking
from controlplane.edge.known import Changes
from tenants.keys.codes import Code
from tenants.limits import projection
from tenants.limits.projection import Kind, Standing
from tests.controlplane.edge.world import WIDE, Holder, Platform, answer, edge_on, until


@pytest.mark.parametrize("how", ["cut", "rebuilt"])
def test_what_was_read_before_a_beginning_is_read_again(platform: Platform, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Between a reading's answer and its keeping everything may have begun anew, and its change told when nobody listened."""
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            read_once, readings = edge.lookups._read_once, []

            async def overtaken(digests: object) -> object:
                known = await read_once(digests)  # type: ignore[arg-type]
                readings.append(known)
                if len(readings) == 1:
                    line, pointer = edge.known.line, edge.known.pointer
                    if how == "cut":
                        platform.board._redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                        platform.revoke(acme)
                        await until(lambda: edge.known.line is not line and edge.hearing.is_heard(), within_seconds=3)
                    else:
                        platform.build()
                        await until(lambda: edge.known.pointer != pointer, within_seconds=3)
                    known.tenant.is_stale = False  # type: ignore[attr-defined]  # as when it was read after the beginning
                return known

            monkeypatch.setattr(edge.lookups, "_read_once", overtaken)
            assert (await answer(edge, acme)).code is Code.NOT_FOUND
            assert len(readings) == 2

    asyncio.run(story())


def test_a_tenant_too_is_read_again_after_a_while(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "FRESH_SECONDS", 0.1)
    acme = Holder()
    second = Holder(tenant_id=acme.tenant_id)
    platform.build(acme, second)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            assert (await answer(edge, acme)).is_admitted
            await asyncio.sleep(0.08)
            assert (await answer(edge, second)).is_admitted
            name = projection.name_of(edge.known.epoch or b"", Kind.TENANT, projection.pack_id(acme.tenant_id))
            halted = replace(acme, standing=Standing.HALTED).records(platform.board.draw_stamp())
            platform.board._redis.set(name, halted[Kind.TENANT, projection.pack_id(acme.tenant_id)])  # and nobody is told
            await asyncio.sleep(0.1)
            assert (await answer(edge, acme)).code is Code.DISABLED
            assert (await answer(edge, second)).code is Code.DISABLED

    asyncio.run(story())


def test_made_up_keys_push_out_none_but_each_other(platform: Platform) -> None:
    holders, made_up = [Holder() for _ in range(5)], [Holder() for _ in range(60)]
    platform.build(*holders)

    async def story() -> None:
        async with edge_on(platform.url, most_keys=20) as edge:
            known = edge.known
            for holder in [*holders, *made_up]:
                assert (await answer(edge, holder)).is_admitted is (holder in holders)
            assert all(known.fingerprint(holder.text.encode()) in known.keys for holder in holders)
            assert (len(known.keys), len(known.unknown)) == (5, 2)
            kept = {**known.keys, **known.unknown}
            assert known._places == {name: place for place, key in kept.items() for name in key.names}
            platform.write(made_up[-1])  # issued: it works at once, and is what somebody has from now on
            await until(lambda: len(known.unknown) == 1, within_seconds=1)
            assert (await answer(edge, made_up[-1])).is_admitted
            platform.revoke(made_up[-1])
            await until(lambda: len(known.keys) == 5, within_seconds=1)
            assert (await answer(edge, made_up[-1])).code is Code.NOT_FOUND
            assert (len(known.keys), len(known.unknown)) == (5, 2)
            platform.build(*holders, made_up[-2])
            await until(lambda: not known.keys and not known.unknown, within_seconds=1)
            assert not known._places
            assert (await answer(edge, made_up[-2])).is_admitted

    asyncio.run(story())


def test_sets_of_scopes_are_bounded_too(platform: Platform) -> None:
    holders = [Holder(WIDE, key={"scopes": (f"events:read{number}",)}) for number in range(6)]
    platform.build(*holders)

    async def story() -> None:
        async with edge_on(platform.url, most_keys=3) as edge:
            for holder in holders:
                assert (await answer(edge, holder, scopes=holder.key["scopes"])).is_admitted
            assert len(edge.lookups._words) <= 3

    asyncio.run(story())


def test_keys_of_one_tenant_that_are_read_at_the_same_time_are_all_told(platform: Platform) -> None:
    acme = Holder()
    others = [Holder(tenant_id=acme.tenant_id) for _ in range(5)]
    platform.build(acme, *others)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            verdicts = await asyncio.gather(*(answer(edge, holder) for holder in (acme, *others)))
            assert all(verdict.is_admitted for verdict in verdicts)
            acme.standing = Standing.HALTED
            platform.write(acme)
            await until(lambda: not edge.known.tenants, within_seconds=1)
            assert [(await answer(edge, holder)).code for holder in (acme, *others)] == [Code.DISABLED] * 6

    asyncio.run(story())


def test_a_tenant_that_changes_while_it_is_read_is_read_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = Holder()
    platform.build(acme)

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            get, readings = edge.lookups._get, []

            async def overtaken(names: list[bytes]) -> list[bytes | None]:
                records = await get(names)
                if names[0][:1] == Kind.TENANT.value:
                    readings.append(records)
                    if len(readings) == 1:
                        changes = edge.known.changes._count
                        acme.standing = Standing.HALTED
                        platform.write(acme)
                        await until(lambda: edge.known.changes._count >= changes + 2, within_seconds=1)
                return records

            monkeypatch.setattr(edge.lookups, "_get", overtaken)
            assert (await answer(edge, acme)).code is Code.DISABLED
            assert len(readings) == 2

    asyncio.run(story())


def test_a_reading_is_overtaken_by_changes_of_what_it_read_alone() -> None:
    changes = Changes()
    with changes:
        mark = changes.mark
        changes.note(b"globex")
        assert not changes.touch((b"acme",), mark)
        changes.note(b"acme")
        assert changes.touch((b"acme",), mark)
        assert not changes.touch((b"acme",), changes.mark), "what begins after a change has seen it"


def test_names_are_kept_until_the_last_reading_has_ended() -> None:
    changes = Changes()
    with changes:
        mark = changes.mark
        with changes:
            changes.note(b"acme")
        assert changes.touch((b"acme",), mark)
    assert not changes._told


def test_a_change_before_any_reading_is_not_kept() -> None:
    changes = Changes()
    changes.note(b"acme")
    assert not changes._told
