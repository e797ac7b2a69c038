"""Two at the same key at once. The second acts while the first is inside one of its calls to AWS, at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from core.errors import DomainError
from tenants.keys.models import KeyState
from tenants.models import Cell
from tests import faults
from tests.tenants.keys.stories import (
    CLAIM_IS_OVER,
    HOUR,
    STORIES,
    Scene,
    broken_promises_after,
    broken_promises_now,
    goes_on,
    mend,
    run_clock,
    scene_of,
)
from tests.tenants.keys.test_crashes import calls_of
from tests.tenants.keys.world import StoreEyes, new_tenant

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def during(number: int, act: Callable[[], object], *, when: faults.When = "before") -> Iterator[None]:
    """Act once, while the block's AWS call of this number is on its way; what the act is refused is its own affair."""
    busy = []

    def acting(_: object) -> None:
        if not busy:
            busy.append(True)
            with suppress(DomainError):
                act()

    if when == "before":
        with faults.inject("secretsmanager", "*", occurrence=number, error=acting, times=1):
            yield
    else:
        with faults.inject("secretsmanager", "*", occurrence=number + 1, error=acting, times=1):
            yield


def race(cell: Cell, eyes: StoreEyes, first: str, second: Callable[[Scene], object]) -> None:
    """Carry a story out once for each of its calls, the second act inside that call, and hold every ending to the promises."""
    story = STORIES[first]
    for number, call in enumerate(calls_of(cell, first), 1):
        with scene_of(new_tenant(cell)) as scene:
            story.prepare(scene)

            def act(scene: Scene = scene) -> object:
                scene.find_key()
                return second(scene)

            with during(number, act), suppress(DomainError):
                story.act(scene)
            where = f"{first} met by another at call {number}, {call}"
            assert broken_promises_now(scene, eyes) == [], where
            mend(scene)
            assert broken_promises_after(scene, eyes, LOOSE) == [], where
            goes_on(scene, eyes)


LOOSE = STORIES["rotate"].__class__(
    prepare=lambda scene: None, act=lambda scene: None, ends_as=tuple(KeyState.values), ends_predecessor=True
)


def run_clock_late(scene: Scene) -> None:
    scene.time.shift(CLAIM_IS_OVER)
    run_clock()


SECONDS: dict[str, Callable[[Scene], object]] = {
    "rotate": lambda scene: scene.rotate(overlap=HOUR),
    "rotate-end-previous": lambda scene: scene.rotate(overlap=HOUR, end_previous=True),
    "revoke": lambda scene: scene.revoke(),
    "retire-previous": lambda scene: scene.retire_previous(),
    "clock": lambda scene: run_clock(),
    "clock-after-an-overslept-claim": run_clock_late,
    "rotate-after-an-overslept-claim": lambda scene: (run_clock_late(scene), scene.rotate(overlap=HOUR, end_previous=True)),
    "revoke-after-an-overslept-claim": lambda scene: (run_clock_late(scene), scene.revoke()),
}
SHORT = {
    ("rotate", "revoke"),
    ("rotate-again", "rotate-after-an-overslept-claim"),
    ("rotate-imported", "clock-after-an-overslept-claim"),
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, marks=() if (first, second) in SHORT else pytest.mark.long)
        for first in STORIES
        for second in SECONDS
    ],
)
def test_whoever_comes_in_between_leaves_database_and_store_in_agreement(
    cell: Cell, store_eyes: StoreEyes, first: str, second: str
) -> None:
    race(cell, store_eyes, first, SECONDS[second])
