"""A real SIGKILL, in the middle of an onboarding: no exception, no clean-up, no last words. Another worker finishes it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connections

from provisioning import engine
from provisioning.models import Operation, Step
from provisioning.outcomes import Outcome
from tenants.models import Cell
from tests import faults
from tests.cast import asked, finish, make_due
from tests.flows.eyes import Eyes
from tests.flows.surviving import ending_of

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = {"basic": 7, "standard": 8, "premium": 6}


def in_a_worker_that_dies(work: Callable[[], object]) -> int:
    """Run ``work`` in a process of its own; give the signal that ended it, or 0."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def kill_me(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(step_number: int, moment: str, operation: Operation) -> None:
    """Work on an operation until the step with this number, and die before its first call, after its last, or after its record."""
    act, record, seen = engine._act, engine._record, iter(range(1, 100))

    def acting(*arguments: object) -> Outcome:
        is_it = next(seen) == step_number
        if is_it and moment == "before":
            with faults.inject("*", "*", error=kill_me):
                return act(*arguments)  # type: ignore[arg-type]
        outcome = act(*arguments)  # type: ignore[arg-type]
        if is_it and moment == "after":
            kill_me()
        return outcome

    def recording(work: engine.Run, step: Step, outcome: Outcome) -> bool:
        more = record(work, step, outcome)
        if step.position == step_number and moment == "record":
            kill_me()
        return more

    engine._act, engine._record = acting, recording  # type: ignore[assignment]
    engine.run(operation.pk)


@pytest.mark.parametrize("tier", ["basic", pytest.param("standard", marks=pytest.mark.long), "premium"])
def test_a_killed_worker_s_onboarding_ends_as_if_nothing_had_happened(cell: Cell, eyes: Eyes, tier: str) -> None:
    whole = finish(asked(f"whole-{tier}", tier_code=tier))
    assert (whole.state, whole.steps_total) == ("succeeded", STEPS[tier])
    expected = ending_of(whole, eyes)
    for number in range(1, STEPS[tier] + 1):
        for moment in ("before", "after", "record"):
            operation = asked(f"kill-{tier}-{number}-{moment}", tier_code=tier)
            killed_by = in_a_worker_that_dies(partial(die_at, number, moment, operation))
            assert killed_by == signal.SIGKILL, (number, moment)
            operation.refresh_from_db()
            assert operation.state in ("running", "succeeded"), (number, moment)
            make_due(operation)
            if operation.is_active:
                finish(operation)
            operation.refresh_from_db()
            assert operation.state == "succeeded", (number, moment, operation.error_detail)
            assert ending_of(operation, eyes) == expected, (number, moment)
