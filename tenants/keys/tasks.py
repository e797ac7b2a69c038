"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import shared_task

from tenants.keys import tending

logger = logging.getLogger(__name__)


@shared_task(name="tenants.keys.tasks.settle", ignore_result=True)
def settle() -> None:
    """Finish what a process left between the database and the store, and carry out rotations that are due."""
    _run(tending.abandon_unfinished, tending.rotate_due, tending.settle_stores)


@shared_task(name="tenants.keys.tasks.tend", ignore_result=True)
def tend() -> None:
    """End overlaps and lives, remind, find the rotations whose time has come, and have old sightings renewed."""
    _run(tending.end_overlaps, tending.end_expired, tending.remind, tending.schedule_rotations, tending.look_again)


def _run(*parts: Callable[[], int]) -> None:
    """Run every part, whatever becomes of the others; the first failure is raised at the end, so that the task counts as failed."""
    failures: list[Exception] = []
    for part in parts:
        try:
            part()
        except Exception as error:
            logger.exception("a part of the keys' clock broke")
            failures.append(error)
    if failures:
        raise failures[0]
