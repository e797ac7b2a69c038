"""Who may work on an operation: a lease, and an attempt number that fences off whoever overslept.

A claim is one conditional UPDATE; 0 rows changed means that somebody else was first. Every later write of the worker holds only while
the attempt still matches, so a worker that was paused past its lease finds its record refused instead of overwriting its successor's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.errors import ConflictError
from core.statements import Update
from provisioning.models import Operation, OperationState

_update_held = Update(Operation, "id", "attempt", "state")


class LostClaimError(ConflictError):
    """Another worker has taken the operation over, or an operator has put something else in its place."""

    code = "lost-claim"
    title = "The operation was taken over"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one operation until the lease ends, under one attempt number."""

    operation: Operation
    attempt: int


def lease() -> timedelta:
    """How long a claim holds without being renewed; it is renewed with every step."""
    return timedelta(seconds=settings.ENGINE_LEASE_SECONDS)


def due(now: datetime) -> Q:
    """The operations that a worker may claim at ``now``."""
    rested = Q(not_before__isnull=True) | Q(not_before__lte=now)
    idle = Q(state__in=(OperationState.PENDING, OperationState.WAITING)) & rested
    return idle | Q(state=OperationState.RUNNING, lease_until__lte=now)


def take(operation_id: str) -> Claim | None:
    """Claim an operation; None when it is not due, finished, unknown, or another worker's."""
    now = timezone.now()
    changed = (
        Operation.objects.filter(due(now), pk=operation_id)
        .update(
            state=OperationState.RUNNING,
            attempt=F("attempt") + 1,
            lease_until=now + lease(),
            not_before=None,
            started_at=Coalesce("started_at", now),
        )
    )  # fmt: skip
    if changed != 1:
        return None
    operation = Operation.objects.select_related("tenant__tier", "tenant__cell", "cell").get(pk=operation_id)
    return Claim(operation, operation.attempt)


def hold(claim: Claim, **changes: Any) -> None:
    """Renew the lease and write ``changes`` if the claim still stands; raises LostClaimError otherwise.

    Call it first in the recording transaction: it locks the row, and its failure undoes all that comes after.
    """
    values = {"lease_until": timezone.now() + lease(), **changes}
    if _update_held(claim.operation.pk, claim.attempt, OperationState.RUNNING, **values) != 1:
        raise LostClaimError(f"Operation {claim.operation.pk} was taken over after attempt {claim.attempt}.")


def list_due(*, limit: int, grace: timedelta = timedelta(0)) -> Iterable[str]:
    """Give the ids of operations that could be worked on since ``grace`` ago, oldest first."""
    now = timezone.now()
    waiting = Operation.objects.filter(due(now - grace), created_at__lte=now - grace)
    return waiting.order_by("pk").values_list("pk", flat=True)[:limit]
