"""What this process knows: changes that are heard while something is being read."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.edge.known import Changes
from tenants.keys.codes import Code
from tests.controlplane.edge.world import Holder, Platform, answer, edge_on


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


def test_nothing_counts_that_was_read_under_another_line(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Holder()  # whose tenant cannot tell that it is stale
    platform.build()

    async def story() -> None:
        async with edge_on(platform.url) as edge:
            read_once, readings = edge.lookups._read_once, []

            async def overtaken(digests: object) -> object:
                found = await read_once(digests)  # type: ignore[arg-type]
                readings.append(found)
                if len(readings) == 1:
                    known = edge.known
                    assert known.line is not None
                    known.begin(known.line, known.pointer, known.epoch)
                return found

            monkeypatch.setattr(edge.lookups, "_read_once", overtaken)
            assert (await answer(edge, nobody)).code is Code.NOT_FOUND
            assert len(readings) == 2

    asyncio.run(story())
