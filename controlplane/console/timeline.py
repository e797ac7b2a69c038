"""Operations as pages show them: rows turned into plain values with their words, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.console import people, words
from provisioning.models import Operation, OperationState, Step, StepState
from tenants.words import count

MOVING = (OperationState.PENDING, OperationState.RUNNING, OperationState.WAITING)


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step. ``since`` is set while it runs, so that the page can count on; ``took`` once it is over."""

    id: str
    position: int
    title: str
    state: str
    tone: str
    took: str
    since: datetime | None
    tries: int
    aws_calls: int
    request_id: str
    note: str
    error_code: str
    error_words: str
    error_detail: str

    @property
    def is_interesting(self) -> bool:
        """Whether it is more than a step that went through at the first try."""
        return self.state != StepState.SUCCEEDED or self.tries > 1


@dataclass(frozen=True, slots=True)
class OperationLine:
    """One operation with its steps. ``percent`` is whole; ``subject`` and its address are set where a page shows several owners."""

    id: str
    kind: str
    title: str
    state: str
    tone: str
    who: str
    reason: str
    created_at: datetime
    finished_at: datetime | None
    not_before: datetime | None
    took: str
    done: int
    total: int
    attempt: int
    error_code: str
    error_words: str
    error_detail: str
    left_behind: tuple[str, ...]
    subject: str
    tenant_id: str
    cell_id: str
    steps: tuple[StepLine, ...]

    @property
    def percent(self) -> int:
        """How much of it is done; an operation without steps is done when it has succeeded."""
        if self.total == 0:
            return 100 if self.state == OperationState.SUCCEEDED else 0
        return self.done * 100 // self.total

    @property
    def is_moving(self) -> bool:
        """Whether a worker or the clock will still move it."""
        return self.state in MOVING

    @property
    def has_failed(self) -> bool:
        """Whether it waits for an operator."""
        return self.state == OperationState.FAILED

    @property
    def current(self) -> StepLine | None:
        """The step that it is at, or that stopped it."""
        return next((step for step in self.steps if step.state != StepState.SUCCEEDED), None)

    @property
    def summary(self) -> str:
        """One line for people who listen rather than look."""
        at = f", at: {self.current.title}" if self.current and self.is_moving else ""
        return f"{self.title}: {self.state}, {self.done} of {count(self.total, 'step')}{at}"


def lines_of(operations: Iterable[Operation], *, with_steps: bool = True) -> list[OperationLine]:
    """Turn rows into lines; one more query for all their steps and one for the names. Join ``tenant`` and ``cell`` beforehand."""
    rows = list(operations)
    steps: dict[str, list[Step]] = {}
    if with_steps and rows:
        for step in Step.objects.filter(operation__in=[row.pk for row in rows]).defer("spec").order_by("operation", "position"):
            steps.setdefault(step.operation_id, []).append(step)
    names = people.names_of(row.actor for row in rows)
    return [line_of(row, steps.get(row.pk, ()), names) for row in rows]


def line_of(operation: Operation, steps: Sequence[Step] = (), names: Mapping[str, str] | None = None) -> OperationLine:
    """Turn one row and its steps into a line; ``names`` are the actors' where they are known already."""
    known = people.names_of([operation.actor]) if names is None else names
    owner = operation.tenant or operation.cell
    ended = operation.finished_at
    return OperationLine(
        id=operation.pk,
        kind=operation.kind,
        title=words.operation_of(operation.kind),
        state=operation.state,
        tone=words.tone_of("operation", operation.state),
        who=known[operation.actor],
        reason=operation.reason,
        created_at=operation.created_at,
        finished_at=ended,
        not_before=operation.not_before if operation.state == OperationState.WAITING else None,
        took=words.lasted(ended - (operation.started_at or operation.created_at)) if ended else "",
        done=operation.steps_done,
        total=operation.steps_total,
        attempt=operation.attempt,
        error_code=operation.error_code,
        error_words=words.error_of(operation.error_code),
        error_detail=operation.error_detail,
        left_behind=tuple(words.left_behind(str(item)) for item in operation.left_behind),
        subject=str(owner) if owner else "",
        tenant_id=operation.tenant_id or "",
        cell_id=operation.cell_id or "",
        steps=tuple(_step_line(step) for step in steps),
    )


def _step_line(step: Step) -> StepLine:
    over = step.finished_at
    return StepLine(
        id=step.pk,
        position=step.position,
        title=words.step_of(step.action, step.kind, step.name),
        state=step.state,
        tone=words.tone_of("step", step.state),
        took=words.lasted(over - step.started_at) if over and step.started_at else "",
        since=step.started_at if step.state in (StepState.RUNNING, StepState.WAITING) else None,
        tries=step.tries,
        aws_calls=step.aws_calls,
        request_id=step.aws_request_id,
        note=step.note,
        error_code=step.error_code,
        error_words=words.error_of(step.error_code),
        error_detail=step.error_detail,
    )
