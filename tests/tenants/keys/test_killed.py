"""A real SIGKILL in the middle of a rotation, at each of its calls and after each of its commits: no exception, no clean-up, no last words."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction

from tenants.models import Cell
from tests import faults
from tests.flows.test_killed import in_a_worker_that_dies, kill_me
from tests.tenants.keys.stories import STORIES, Scene, broken_promises_after, broken_promises_now, goes_on, mend, scene_of
from tests.tenants.keys.test_crashes import READS, calls_of
from tests.tenants.keys.world import StoreEyes, new_tenant

pytestmark = pytest.mark.django_db(transaction=True)
COMMITS = (1, 2, 3)
"""The pending row; the promotion; settled, and the overlap begun."""


def die_at_call(number: int, when: faults.When, act: Callable[[Scene], None], scene: Scene) -> None:
    with faults.inject("*", "*", occurrence=number, when=when, error=kill_me):
        act(scene)


def die_after_commit(number: int, act: Callable[[Scene], None], scene: Scene) -> None:
    leave, seen = transaction.Atomic.__exit__, iter(range(1, 100))

    def leaving(atomic: transaction.Atomic, *error: object) -> None:
        leave(atomic, *error)  # type: ignore[arg-type]
        if not connection.in_atomic_block and next(seen) == number:
            kill_me()

    transaction.Atomic.__exit__ = leaving  # type: ignore[method-assign]  # this process does not live long enough to mind
    act(scene)


def deaths_of(cell: Cell, name: str, moments: tuple[faults.When, ...]) -> dict[str, Callable[[Scene], None]]:
    act = STORIES[name].act
    changing = [(number, call) for number, call in enumerate(calls_of(cell, name), 1) if not call[1].startswith(READS)]
    deaths: dict[str, Callable[[Scene], None]] = {
        f"{when} call {number}, {call}": partial(die_at_call, number, when, act) for number, call in changing for when in moments
    }
    return deaths | {f"after commit {number}": partial(die_after_commit, number, act) for number in COMMITS}


def survives_each(cell: Cell, eyes: StoreEyes, name: str, moments: tuple[faults.When, ...]) -> None:
    story = STORIES[name]
    for where, die in deaths_of(cell, name, moments).items():
        with scene_of(new_tenant(cell)) as scene:
            story.prepare(scene)
            assert in_a_worker_that_dies(partial(die, scene)) == signal.SIGKILL, where
            assert broken_promises_now(scene, eyes) == [], where
            mend(scene)
            assert broken_promises_after(scene, eyes, story) == [], where
            goes_on(scene, eyes)


def test_a_killed_rotation_is_mended_by_the_clock(cell: Cell, store_eyes: StoreEyes) -> None:
    survives_each(cell, store_eyes, "rotate", ("after",))


@pytest.mark.long
@pytest.mark.parametrize("name", ["rotate", "rotate-at-once", "rotate-again", "rotate-imported"])
def test_every_kind_of_rotation_may_be_killed_before_and_after_any_call(cell: Cell, store_eyes: StoreEyes, name: str) -> None:
    survives_each(cell, store_eyes, name, ("before", "after"))
