"""The worker dies, AWS refuses or falls silent, at every call and after every commit, in every story of a key.

At the moment of the death what the store hands out as current verifies (I1). Once claims have run out and the clock has worked, database and
store agree, nobody's text was lost, nothing verifies that is not stored, and the key can be rotated as ever. ``make test`` breaks the
acts that matter most by deaths; ``make test-long`` breaks all of them in every way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from django.db import connection, transaction

from core.errors import DomainError
from tenants.keys import claims, store, tending
from tenants.keys.store import KeyStoreError
from tenants.keys.verification import MOST_CANDIDATES, Code, verify
from tenants.models import Cell
from tenants.naming import key_secret
from tenants.selectors import facts_of
from tests import faults
from tests.faults import Crash
from tests.tenants.keys.stories import HOUR, STORIES, broken_promises_after, broken_promises_now, goes_on, mend, scene_of
from tests.tenants.keys.world import StoreEyes, new_tenant

pytestmark = pytest.mark.django_db(transaction=True)
SHORT = ("issue", "rotate-at-once", "rotate-again", "revoke")
EACH_STORY = [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in STORIES]
READS = ("Get", "List", "Describe", "AssumeRole")
REFUSALS: tuple[tuple[faults.When, faults.Error], ...] = (
    ("before", "throttle"),
    ("before", "denied"),
    ("before", "lost"),
    ("after", "lost"),
    ("before", "timeout"),
    ("after", "timeout"),
    ("after", "outage"),
)


class Deaths:
    """Counts commits, or statements, and dies at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def count(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise Crash

    @contextmanager
    def after_commits(self) -> Iterator[Deaths]:
        leave = transaction.Atomic.__exit__

        def leaving(atomic: transaction.Atomic, *error: object) -> None:
            leave(atomic, *error)  # type: ignore[arg-type]
            if error[0] is None and not connection.in_atomic_block:
                self.count()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction.Atomic, "__exit__", leaving)
            yield self

    @contextmanager
    def before_statements(self) -> Iterator[Deaths]:
        def execute(run: object, *arguments: object) -> object:
            self.count()
            return run(*arguments)  # type: ignore[operator]

        with connection.execute_wrapper(execute):
            yield self


def calls_of(cell: Cell, name: str) -> list[tuple[str, str]]:
    """The calls that the act of a story makes when nothing goes wrong."""
    with scene_of(new_tenant(cell)) as scene:
        STORIES[name].prepare(scene)
        with faults.watch() as traffic:
            STORIES[name].act(scene)
    return traffic.order


def break_it(cell: Cell, eyes: StoreEyes, name: str, breaking: contextmanager, where: str) -> None:  # type: ignore[type-arg]
    """Carry a story out, break its act, look at once, mend, look again, and go on."""
    story = STORIES[name]
    with scene_of(new_tenant(cell)) as scene:
        story.prepare(scene)
        with breaking, suppress(Crash, DomainError):
            story.act(scene)
        assert broken_promises_now(scene, eyes) == [], where
        mend(scene)
        assert broken_promises_after(scene, eyes, story) == [], where
        goes_on(scene, eyes)


@pytest.mark.parametrize("name", EACH_STORY)
def test_a_death_after_any_changing_call_is_survived(cell: Cell, store_eyes: StoreEyes, name: str) -> None:
    changing = [(number, call) for number, call in enumerate(calls_of(cell, name), 1) if not call[1].startswith(READS)]
    assert changing
    for number, call in changing:
        breaking = faults.inject("*", "*", occurrence=number, when="after", error=Crash)
        break_it(cell, store_eyes, name, breaking, f"after call {number}, {call}")


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
def test_a_death_before_and_after_any_call_is_survived(cell: Cell, store_eyes: StoreEyes, name: str) -> None:
    for number, call in enumerate(calls_of(cell, name), 1):
        for when in ("before", "after"):
            breaking = faults.inject("*", "*", occurrence=number, when=when, error=Crash)
            break_it(cell, store_eyes, name, breaking, f"{when} call {number}, {call}")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ("issue", "rotate-at-once", "revoke") else pytest.mark.long) for name in STORIES],
)
def test_a_death_after_any_commit_is_survived(cell: Cell, store_eyes: StoreEyes, name: str) -> None:
    for number in range(1, 100):
        deaths = Deaths(number)
        break_it(cell, store_eyes, name, deaths.after_commits(), f"after commit {number}")
        if deaths.seen < number:
            assert number > 1, "the act commits"
            return


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
def test_a_death_before_any_statement_is_survived(cell: Cell, store_eyes: StoreEyes, name: str) -> None:
    for number in range(1, 500):
        deaths = Deaths(number)
        break_it(cell, store_eyes, name, deaths.before_statements(), f"before statement {number}")
        if deaths.seen < number:
            assert number > 5
            return


@pytest.mark.parametrize("name", ["issue", "rotate"])
def test_an_answer_that_is_lost_at_any_call_is_survived(cell: Cell, store_eyes: StoreEyes, name: str) -> None:
    for number, call in enumerate(calls_of(cell, name), 1):
        if call[1].startswith(READS):
            continue
        breaking = faults.inject("*", "*", occurrence=number, when="after", error="lost")
        break_it(cell, store_eyes, name, breaking, f"after call {number}, {call}")


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize(("when", "error"), REFUSALS)
@pytest.mark.parametrize("times", [1, None])
def test_a_refusal_at_any_call_and_from_any_call_on_is_survived(
    cell: Cell, store_eyes: StoreEyes, name: str, when: faults.When, error: faults.Error, times: int | None
) -> None:
    for number, call in enumerate(calls_of(cell, name), 1):
        breaking = faults.inject("*", "*", occurrence=number, when=when, error=error, times=times)
        break_it(cell, store_eyes, name, breaking, f"{error} {when} call {number}, {call}")


def test_rotations_that_failed_do_not_push_the_current_version_out_of_sight(cell: Cell, store_eyes: StoreEyes) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()
        for _ in range(MOST_CANDIDATES + 1):
            with faults.inject("secretsmanager", "PutSecretValue", error="outage"), pytest.raises(KeyStoreError):
                scene.rotate()
        assert verify(scene.given[0]).code is Code.VALID
        scene.rotate(overlap=HOUR)
        assert [verify(text).code for text in scene.given] == [Code.VALID, Code.VALID]


def test_a_secret_that_was_deleted_by_hand_is_taken_back(cell: Cell, store_eyes: StoreEyes) -> None:
    with scene_of(new_tenant(cell)) as scene:
        scene.issue()
        name = key_secret(facts_of(scene.tenant), scene.key_id)
        store_eyes.client.delete_secret(SecretId=name, RecoveryWindowInDays=7)
        assert store_eyes.current_text(scene.key) == ""
        claims.look_again(scene.tenant.pk)
        assert tending.settle_stores() == 1
        assert store_eyes.text(scene.key) == scene.given[0]
        assert store_eyes.faults(scene.key) == []


def test_what_fails_after_the_promotion_does_not_cost_the_caller_the_text(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise RuntimeError("a bug")

    with scene_of(new_tenant(cell)) as scene:
        with monkeypatch.context() as patch:
            patch.setattr(store, "converge", fail)
            scene.issue()
        assert verify(scene.given[0]).code is Code.VALID
        mend(scene)
        assert scene.key.store_state == "settled"
