"""Breaking a story at one of its calls, and what has to be the same at its end as without the fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from provisioning import engine
from provisioning.models import Operation, Step
from provisioning.outcomes import Outcome
from provisioning.services import retry
from tenants.models import Tenant
from tenants.selectors import facts_of
from tests import faults
from tests.cast import OPERATOR, finish, make_due
from tests.faults import Crash
from tests.flows.eyes import Eyes
from tests.flows.scenarios import Act, Scenario

READS = ("Get", "List", "Describe", "Head", "AssumeRole")


@dataclass(frozen=True)
class Ending:
    """Where a story ends: the tenant's state, the ledger and the census of AWS."""

    state: str
    ledger: tuple[tuple[str, str, str], ...]
    census: tuple[str, ...]


def ending_of(operation: Operation, eyes: Eyes) -> Ending:
    tenant = Tenant.objects.select_related("tier", "cell").get(pk=operation.tenant_id)
    ledger = tuple(sorted(tenant.resources.values_list("kind", "name", "state")))
    return Ending(tenant.state, ledger, tuple(eyes.census(facts_of(tenant))))


def calls_of(scenario: Scenario, eyes: Eyes) -> tuple[list[tuple[str, str]], list[int], Ending]:
    """Carry the story out without a fault: its calls in order, the first changing call of each step (from 1), and its ending."""
    operation, first_of_step, act = scenario.begin(), [], engine._act
    with faults.watch() as traffic, pytest.MonkeyPatch.context() as patch:

        def noting(*arguments: object) -> Outcome:
            start = len(traffic.order)
            outcome = act(*arguments)  # type: ignore[arg-type]
            changing = [n for n in range(start, len(traffic.order)) if not traffic.order[n][1].startswith(READS)]
            first_of_step.extend(changing[:1])
            return outcome

        patch.setattr(engine, "_act", noting)
        assert finish(operation).state == "succeeded", operation.error_detail
    return traffic.order, [number + 1 for number in first_of_step], ending_of(operation, eyes)


@contextmanager
def dying_after_record(kind: str) -> Iterator[None]:
    """The worker dies when the outcome of the first step of this kind is written and committed."""
    record, deaths = engine._record, [Crash()]

    def dying(work: engine.Run, step: Step, outcome: Outcome) -> bool:
        more = record(work, step, outcome)
        if step.kind == kind and deaths:
            raise deaths.pop()
        return more

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_record", dying)
        yield


def survive(operation: Operation, *, number: int, when: faults.When, error: faults.Error, again: Act | None = None) -> None:
    """Break one call, then let the sweep's work be done; a failed operation is tried again, as an operator would.

    A connection that was not taken is taken back, and its owner saves it ``again``.
    """
    with faults.inject("*", "*", occurrence=number, when=when, error=error) as fault:
        for _ in range(40):
            with suppress(Crash):
                engine.run(operation.pk)
            operation.refresh_from_db()
            if operation.state == "failed":
                retry(actor=OPERATOR, operation_id=operation.pk, reason="the fault is gone")
            elif not operation.is_active:
                break
            make_due(operation)
    assert fault.fired, "the fault was never met"
    if again is not None and operation.state == "abandoned":
        tenant = Tenant.objects.get(pk=operation.tenant_id)
        assert finish(tenant.operations.latest("pk")).state == "succeeded"
        operation = finish(again(tenant))
    assert operation.state == "succeeded", (operation.state, operation.error_code, operation.error_detail)
