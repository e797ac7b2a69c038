"""Consumers in a hurry: told by the process that committed, once for each subject, and never at the committer's cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from core.outbox import prompt
from core.outbox.models import OutboxEvent
from core.outbox.registry import subscribe, unsubscribe
from core.outbox.relay import relay
from core.outbox.services import publish

pytestmark = pytest.mark.django_db(transaction=True)
HURRIED, PATIENT = "test-hurried", "test-patient"


class Heard(list[tuple[str, str]]):
    """What consumers were told, and what they do about it."""

    error: Exception | None = None

    def __call__(self, event: OutboxEvent) -> None:
        assert not transaction.get_connection().in_atomic_block, "no handler runs inside a transaction"
        self.append((event.type, event.subject))
        if self.error is not None:
            raise self.error


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    heard = Heard()
    monkeypatch.setattr(prompt._Quiet, "until", 0.0)
    subscribe(HURRIED, ["course.*"], heard, prompt=True)
    subscribe(PATIENT, ["lesson.*"], heard)
    yield heard
    unsubscribe(HURRIED)
    unsubscribe(PATIENT)


def tell(*subjects: str, noun: str = "course") -> None:
    for subject in subjects:
        publish(type=f"{noun}.changed", subject=subject, tenant_id=None, data={})


def test_at_the_commit_and_by_the_relay_again(heard: Heard) -> None:
    with transaction.atomic():
        tell("c1", "c1", "c2")
        tell("l1", noun="lesson")
        assert heard == []
    assert heard == [("course.changed", "c1"), ("course.changed", "c2")]
    with transaction.atomic():
        tell("c1")
    assert heard[2:] == [("course.changed", "c1")], "another commit, another telling"
    heard.clear()
    relay()
    assert sorted(heard) == [("course.changed", "c1")] * 3 + [("course.changed", "c2"), ("lesson.changed", "l1")]


def test_what_is_rolled_back_is_not_told(heard: Heard) -> None:
    with transaction.atomic():
        tell("c1")
        transaction.set_rollback(True)
    assert heard == []


def test_a_failure_is_the_relays_and_quiets_this_process(heard: Heard) -> None:
    heard.error = ConnectionError("away")
    with transaction.atomic():
        tell("c1", "c2")
    assert len(heard) == 1, "the second is not tried: nobody waits for two time-outs"
    heard.error = None
    with transaction.atomic():
        tell("c3")
    assert len(heard) == 1
    heard.clear()
    relay()
    assert [subject for _, subject in heard] == ["c1", "c2", "c3"]


def test_an_act_on_very_many_is_left_to_the_relay(heard: Heard) -> None:
    with transaction.atomic():
        tell(*(f"c{number}" for number in range(prompt.MOST + 5)))
    assert len(heard) == prompt.MOST
