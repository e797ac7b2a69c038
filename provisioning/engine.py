"""Claim an operation, carry its steps out, write down what was observed.

For each step: what is about to be done is written and committed; AWS is called outside any transaction; then the outcome, the ledger and
the beginning of the next step go into one short transaction that holds only while the claim does. A crash at any point leaves rows from
which the next worker goes on, and every ``ensure`` and ``remove`` may be repeated.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from core.actors import Actor
from core.aws.calls import record_calls
from core.aws.errors import AwsAlreadyExistsError
from core.aws.session import Aws
from core.errors import DomainError
from core.statements import Update
from provisioning import claims, completion, doorbell
from provisioning.claims import Claim, LostClaimError
from provisioning.ledger import Ledger
from provisioning.models import Operation, OperationState, Step, StepAction, StepState
from provisioning.outcomes import Done, Failed, Later, Outcome, after_error
from provisioning.resources import KINDS
from provisioning.resources.base import Known, MissingDependencyError, Removed, Wait
from tenants import clouds
from tenants.naming import session_name
from tenants.selectors import facts_of, facts_of_cell

logger = logging.getLogger(__name__)

# However patient a resource asks us to be, after this an operator is told.
MAX_WAIT = timedelta(hours=6)
_update_step = Update(Step, "id")


class NotObservedError(DomainError):
    """AWS answered, but what was read back is not what was promised. AWS is eventually consistent, so this is tried again first."""

    code = "not-observed"
    title = "What was read back is not as promised"
    status = 502
    retryable = True


@dataclass(slots=True)
class Run:
    """One worker's hold on one operation: the claim, the steps still to do and the ledger."""

    claim: Claim
    steps: list[Step]
    ledger: Ledger
    done: int

    @property
    def operation(self) -> Operation:
        """The operation that is being carried out."""
        return self.claim.operation


def run(operation_id: str) -> None:
    """Work on an operation until it is finished, has to wait, or has failed. Returns at once when it is not ours to work on.

    Safe to call at any time, any number of times, from any number of workers.
    """
    try:
        with transaction.atomic():
            claim = claims.take(operation_id)
            if claim is None:
                return
            steps = list(claim.operation.steps.exclude(state=StepState.SUCCEEDED).order_by("position"))
            work = Run(claim, steps, Ledger(claim.operation), claim.operation.steps_total - len(steps))
            _begin_next(work)
        _carry_out(work)
    except LostClaimError as error:
        logger.info("%s", error, extra={"operation": operation_id})


def _carry_out(work: Run) -> None:
    try:
        aws = _connect(work.operation)
    except Exception as error:
        logger.exception("the cell cannot be reached", extra={"operation": work.operation.pk})
        if work.steps:
            _record(
                work, work.steps[0], Failed("cell-unreachable", f"{type(error).__name__}: see the log for {work.operation.pk}.")
            )
        return
    while work.steps:
        step = work.steps[0]
        with record_calls() as calls:
            outcome = _act(aws, step, work.ledger.known_to(step))
        step.aws_calls += len(calls)
        step.aws_request_id = next((call.request_id for call in reversed(calls) if call.request_id), step.aws_request_id)[:100]
        if not _record(work, step, outcome):
            return


def _connect(operation: Operation) -> Aws:
    if operation.tenant is not None:
        tenant = facts_of(operation.tenant)
        return clouds.connect_to(tenant.cell, session_name=session_name(tenant.id, Actor.parse(operation.actor)))
    if operation.cell is None:
        raise AssertionError("an operation has a tenant or a cell: the database says so")
    cell = facts_of_cell(operation.cell)
    return clouds.connect_to(cell, session_name=session_name(cell.id, Actor.parse(operation.actor)))


def _act(aws: Aws, step: Step, known: Known) -> Outcome:
    """Make the calls of one step. Only errors are caught: whatever kills a worker passes through and leaves the step running."""
    try:
        if step.action == StepAction.ENSURE:
            return _ensure(aws, step, known)
        if step.action == StepAction.REMOVE:
            return _remove(aws, step, known)
        return Done({})
    except DomainError as error:
        return after_error(error, failures=step.failures)
    except Exception as error:
        logger.exception("step %s failed unexpectedly", step, extra={"operation": step.operation_id, "step": step.pk})
        return Failed("internal-error", f"{type(error).__name__}: see the log for operation {step.operation_id}.")


def _ensure(aws: Aws, step: Step, known: Known) -> Outcome:
    kind = KINDS[step.kind]
    try:
        answer = kind.ensure(aws, step.spec, known)
    except AwsAlreadyExistsError:
        if not known.fresh:
            raise
        # AWS knows more than the ledger, as after a restore from a backup. Look first, and adopt what is ours.
        answer = kind.ensure(aws, step.spec, replace(known, fresh=False))
    if isinstance(answer, Wait):
        return Later(answer.seconds, answer.why, answer.attributes)
    attributes = {**known.this, **answer.attributes}
    seen = kind.observe(aws, step.spec, replace(known, this=attributes))
    if not seen.is_as_promised:
        what = "; ".join(seen.differences) if seen.present else "it is not there"
        raise NotObservedError(f"Read back after the call: {what}.")
    return Done({**attributes, **seen.attributes})


def _remove(aws: Aws, step: Step, known: Known) -> Outcome:
    kind = KINDS[step.kind]
    try:
        answer = kind.remove(aws, step.spec, known)
        if isinstance(answer, Removed) and (answer.nothing_to_read or not kind.observe(aws, step.spec, known).present):
            return Done({})
    except MissingDependencyError:
        # What it stands on was never recorded with an id, so this one cannot have been made.
        return Done({})
    if isinstance(answer, Wait):
        return Later(answer.seconds, answer.why, answer.attributes)
    raise NotObservedError("It was removed and is still there.")


def _record(work: Run, step: Step, outcome: Outcome) -> bool:
    """Write an outcome and begin the next step; True when there is more to do now."""
    with transaction.atomic():
        if isinstance(outcome, Done):
            claims.hold(work.claim, steps_done=work.done + 1)
            _settle(work, step, outcome)
        elif isinstance(outcome, Later) and not _has_waited_too_long(step):
            _postpone(work, step, outcome)
            return False
        elif isinstance(outcome, Later):
            _fail(work, step, Failed("timed-out", f"Not done after {MAX_WAIT}: {outcome.why}."))
            return False
        else:
            _fail(work, step, outcome)
            return False
    return bool(work.steps)


def _has_waited_too_long(step: Step) -> bool:
    return step.started_at is not None and timezone.now() - step.started_at > MAX_WAIT


def _begin_next(work: Run) -> None:
    if not work.steps:
        completion.succeed(work.claim)
        return
    step = work.steps[0]
    step.tries += 1
    step.started_at = step.started_at or timezone.now()
    step.state = StepState.RUNNING
    _update_step(step.pk, state=step.state, tries=step.tries, started_at=step.started_at)
    work.ledger.intend(step)


def _settle(work: Run, step: Step, outcome: Done) -> None:
    now = timezone.now()
    _update_step(
        step.pk,
        state=StepState.SUCCEEDED,
        finished_at=now,
        note="",
        error_code="",
        error_detail="",
        aws_request_id=step.aws_request_id,
        aws_calls=step.aws_calls,
    )
    work.ledger.settle(step, outcome.attributes, now)
    work.steps.pop(0)
    work.done += 1
    _begin_next(work)


def _postpone(work: Run, step: Step, outcome: Later) -> None:
    """Store the step with the time from which it may go on, and let the worker go."""
    not_before = timezone.now() + outcome.delay
    claims.hold(work.claim, state=OperationState.WAITING, not_before=not_before, lease_until=None)
    step.failures = step.failures + 1 if outcome.error_code else step.failures
    _update_step(
        step.pk,
        state=StepState.WAITING,
        failures=step.failures,
        note=outcome.why[:500],
        error_code=outcome.error_code[:100],
        error_detail=outcome.error_detail,
        aws_request_id=step.aws_request_id,
        aws_calls=step.aws_calls,
    )
    work.ledger.note_attributes(step, outcome.attributes)
    doorbell.ring_on_commit(work.operation.pk, delay_seconds=outcome.seconds)


def _fail(work: Run, step: Step, outcome: Failed) -> None:
    completion.fail(work.claim, step, outcome, left_behind=work.ledger.left_behind())
    _update_step(
        step.pk,
        state=StepState.FAILED,
        finished_at=timezone.now(),
        error_code=outcome.error_code[:100],
        error_detail=outcome.error_detail,
        aws_request_id=step.aws_request_id,
        aws_calls=step.aws_calls,
    )
