"""Two at the same key at once. The second acts while the first is inside one of its calls to AWS, at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from core.errors import ConflictError, DomainError
from tenants import clouds
from tenants.keys import rotation, services, tending
from tenants.keys.models import KeyState
from tenants.keys.promotion import SupersededError
from tenants.keys.rotation import StoreBehindError
from tenants.keys.store import KeyStoreError
from tenants.keys.verification import Code, verify
from tenants.models import Cell
from tenants.naming import key_secret
from tenants.selectors import facts_of
from tests import faults
from tests.core.test_outbox_threads import together
from tests.faults import Crash
from tests.tenants.keys.aws_like_store import AwsLikeStore
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
from tests.tenants.keys.world import OLGA, StoreEyes, new_tenant

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


@pytest.fixture
def strict_store(monkeypatch: pytest.MonkeyPatch) -> AwsLikeStore:
    store = AwsLikeStore()
    monkeypatch.setattr(clouds, "connect_to", lambda *_, **__: store)
    return store


def at(store: AwsLikeStore, moment: str, act: Callable[[], object]) -> None:
    """Act once, at the next such moment of the store."""

    def around(when: str, call: str) -> None:
        if f"{when} {call}" == moment:
            store.around = lambda *_: None
            act()

    store.around = around


def die() -> None:
    raise Crash


def leave_an_abandoned_text(scene: Scene, store: AwsLikeStore) -> None:
    """A key whose rotation died when its text was in the store, and which the clock has just abandoned."""
    scene.issue()
    at(store, "after put_value", die)
    with pytest.raises(Crash):
        scene.rotate()
    scene.time.shift(CLAIM_IS_OVER)
    assert tending.abandon_unfinished() == 1


def stages_of(store: AwsLikeStore) -> dict[str, str]:
    (kept,) = store.secrets.values()
    return {stage: token for token, version in kept.versions.items() for stage in version.stages}


def test_a_version_that_comes_between_look_and_rows_is_not_given_up_as_lost(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        leave_an_abandoned_text(scene, strict_store)
        at(strict_store, "after find_secret", lambda: scene.rotate(overlap=HOUR))
        tending.settle_stores()
        assert len(scene.given) == 2
        assert scene.key.store_state != "lost"
        mend(scene)
        assert strict_store.current_text(next(iter(strict_store.secrets))) == scene.given[-1]


def test_nothing_is_taken_from_a_version_that_is_on_its_way(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        leave_an_abandoned_text(scene, strict_store)

        def begin_another() -> None:
            at(strict_store, "after get_secret", die)
            with pytest.raises(Crash):
                scene.rotate()

        at(strict_store, "before find_secret", begin_another)
        tending.settle_stores()
        on_its_way = scene.key.versions.get(stage="pending")
        assert stages_of(strict_store)["AWSPENDING"] == f"key-version-{on_its_way.pk}"


def test_a_revoked_key_s_secret_does_not_come_back_with_a_late_maker(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()
        at(strict_store, "before find_secret", scene.revoke)
        with pytest.raises(SupersededError):
            scene.rotate()
        mend(scene)
        (kept,) = strict_store.secrets.values()
        assert kept.deleted_at is not None


def test_a_late_maker_that_dies_is_cleaned_up_after(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()

        def revoke_and_die_later() -> None:
            scene.revoke()
            at(strict_store, "after put_value", die)

        at(strict_store, "before find_secret", revoke_and_die_later)
        with pytest.raises(Crash):
            scene.rotate()
        (kept,) = strict_store.secrets.values()
        assert kept.deleted_at is None, "the dead maker has taken it back"
        mend(scene)
        assert kept.deleted_at is not None


def test_a_maker_that_oversleeps_inside_its_call_leaves_nothing(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()
        at(strict_store, "before put_value", lambda: run_clock_late(scene))
        with pytest.raises(SupersededError):
            scene.rotate()
        assert "AWSPENDING" in stages_of(strict_store), "its text came after the clock's look"
        mend(scene)
        assert set(stages_of(strict_store)) == {"AWSCURRENT"}


def test_a_maker_that_has_overslept_does_not_call(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()
        at(strict_store, "before find_secret", lambda: run_clock_late(scene))
        with pytest.raises(KeyStoreError):
            scene.rotate()
        assert set(stages_of(strict_store)) == {"AWSCURRENT"}


def test_a_rotation_does_not_begin_before_the_store_has_followed_the_last(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()
        at(strict_store, "before move_stage", die)
        with pytest.raises(Crash):
            scene.rotate(overlap=HOUR)
        with pytest.raises(StoreBehindError):
            scene.rotate(overlap=HOUR, end_previous=True)
        with pytest.raises(StoreBehindError):
            scene.retire_previous()
        assert verify(scene.given[0]).code is Code.VALID
        scene.time.shift(CLAIM_IS_OVER)
        scene.rotate(overlap=HOUR, end_previous=True)
        assert verify(scene.given[-1]).code is Code.VALID
        assert strict_store.current_text(next(iter(strict_store.secrets))) == scene.given[-1]


def test_a_claim_that_was_overslept_changes_nothing_in_the_end(cell: Cell, strict_store: AwsLikeStore) -> None:
    """The first settles, sleeps past its claim; the second settles and rotates twice; the first wakes and makes its move."""
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()

        def sleep() -> None:
            scene.time.shift(CLAIM_IS_OVER)
            run_clock()
            for _ in range(2):
                scene.rotate(overlap=HOUR, end_previous=True)

        at(strict_store, "before move_stage", sleep)
        scene.rotate(overlap=HOUR)
        assert scene.key.store_state == "unsettled"
        mend(scene)
        assert strict_store.current_text(next(iter(strict_store.secrets))) == scene.given[-2], "the last that was promoted"
        assert [verify(text).code for text in scene.given[-3:]] == [Code.VALID, Code.VALID, Code.EXPIRED]


def test_one_reference_makes_one_key(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:

        def ask_again() -> None:
            with pytest.raises(ConflictError):
                scene.issue()

        at(strict_store, "before create_secret", ask_again)
        scene.issue()
        first = scene.key_id
        scene.issue()
        assert scene.key_id == first
        assert len(scene.given) == 1, "the text is given once"
        assert list(strict_store.secrets) == [key_secret(facts_of(scene.tenant), first)]


@pytest.mark.skipif(
    "sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite has one writer: threads would only wait for it"
)
def test_threads_that_do_everything_at_once_leave_database_and_store_in_agreement(cell: Cell, store_eyes: StoreEyes) -> None:
    tenant = new_tenant(cell)
    key = services.issue_key(actor=OLGA, tenant_id=tenant.pk, name="ingest").key
    given: list[str] = []

    def rotate() -> None:
        for _ in range(6):
            with suppress(ConflictError, KeyStoreError):
                how = {"overlap": HOUR, "end_previous": True}
                given.append(rotation.rotate_key(actor=OLGA, tenant_id=tenant.pk, key_id=key.pk, **how).text)

    def tend() -> None:
        for _ in range(10):
            run_clock()

    together(rotate, rotate, rotate, tend)
    with scene_of(tenant) as scene:
        mend(scene)
        assert given
        assert store_eyes.faults(key) == []
        assert verify(store_eyes.text(key)).code is Code.VALID
        assert store_eyes.text(key) in given


def test_a_key_that_ends_soon_is_not_rotated_again_and_again(cell: Cell, strict_store: AwsLikeStore) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue(expires_at=timezone.now() + timedelta(hours=20), rotate_every_days=30)
        for _ in range(4):
            run_clock()
            run_clock()
            scene.time.shift(timedelta(hours=4))
        assert len(scene.made) == 1, "a successor would end when its predecessor does"
