"""Rotating many keys, one after the other, and saying what became of each. The new texts are in the tenants' stores and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from controlplane.commandline import key_lookup
from core.actors import Actor
from core.errors import DomainError
from tenants.keys import rotation
from tenants.keys.making import IssuedKey
from tenants.keys.models import StoreState

TRIES = 3
PAUSES_SECONDS = (1.0, 4.0)
"""Between the tries of one key when the store did not answer: a busy AWS is given a moment, a broken one does not hold the others up for long."""


@dataclass(slots=True)
class Outcome:
    """What became of one key: ``rotated`` or ``failed``, with the reason. ``store`` says whether the store has followed already."""

    key: str
    tenant: str = ""
    name: str = ""
    outcome: str = "failed"
    version: int = 0
    store: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class How:
    """How each key is rotated: as ``tenants.keys.rotation.rotate_key`` takes it."""

    actor: Actor
    reason: str
    overlap: timedelta | None = None
    retire_when_quiet: bool = False
    end_previous: bool = False
    pause: Callable[[float], None] = field(default=time.sleep)


def rotate_all(
    key_ids: Iterable[str], how: How, *, told: Callable[[Outcome], object] = lambda outcome: None
) -> tuple[list[Outcome], bool]:
    """Rotate every key in turn; ``told`` is called after each. Gives the outcomes, and whether it came to the end.

    A key that fails does not stop the others. An interrupt ends the loop after the key in hand was left in a state that the clock mends;
    what is rotated stays rotated, and the next run goes on with ``since``.
    """
    outcomes: list[Outcome] = []
    try:
        for key_id in key_ids:
            outcomes.append(_rotate(key_id, how))
            told(outcomes[-1])
    except KeyboardInterrupt:
        return outcomes, False
    return outcomes, True


def _rotate(key_id: str, how: How) -> Outcome:
    outcome = Outcome(key_id)
    try:
        key = key_lookup.get_key(key_id)
        outcome.tenant, outcome.name = key.tenant.slug, key.name
        changed = _try(key.tenant_id, key_id, how)
    except DomainError as error:
        outcome.code, outcome.reason = error.code, error.detail
        return outcome
    outcome.outcome, outcome.version = "rotated", changed.version.number
    outcome.store = "settled" if changed.key.store_state == StoreState.SETTLED else "follows"
    return outcome


def _try(tenant_id: str, key_id: str, how: How) -> IssuedKey:
    for pause in (*PAUSES_SECONDS[: TRIES - 1], None):
        try:
            return rotation.rotate_key(
                actor=how.actor,
                tenant_id=tenant_id,
                key_id=key_id,
                overlap=how.overlap,
                retire_when_quiet=how.retire_when_quiet,
                end_previous=how.end_previous,
                reason=how.reason,
            )
        except DomainError as error:
            if pause is None or not error.retryable:
                raise
            how.pause(pause)
    raise AssertionError("the last try gives or raises")
