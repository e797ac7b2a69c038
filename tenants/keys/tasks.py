"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from celery import shared_task
from django.core.cache import cache

from tenants.keys import tending

logger = logging.getLogger(__name__)

ALONE_SECONDS = 300
"""Longer than all parts together take with their own limits (``tending.BUDGET_SECONDS``)."""


@shared_task(name="tenants.keys.tasks.settle", ignore_result=True)
def settle() -> None:
    """Finish what a process left between the database and the store, and carry out rotations that are due."""
    _run("settle", tending.abandon_unfinished, tending.rotate_due, tending.settle_stores)


@shared_task(name="tenants.keys.tasks.tend", ignore_result=True)
def tend() -> None:
    """End overlaps and lives, remind, find the rotations whose time has come, and have old sightings renewed."""
    _run("tend", tending.end_overlaps, tending.end_expired, tending.remind, tending.schedule_rotations, tending.look_again)


def _run(name: str, *parts: Callable[[], int]) -> None:
    """Run every part, whatever becomes of the others; the first failure is raised at the end, so that the task counts as failed.

    One at a time over all workers: where a region does not answer, a sweep is slow, and the next ones must not take every thread. The mark
    in Redis may be lost, which costs nothing: everything below may run twice.
    """
    mark = f"keys-clock-{name}"
    if not cache.add(mark, True, timeout=ALONE_SECONDS):
        return
    try:
        _run_all(parts)
    finally:
        cache.delete(mark)


def _run_all(parts: Iterable[Callable[[], int]]) -> None:
    failures: list[Exception] = []
    for part in parts:
        try:
            part()
        except Exception as error:
            logger.exception("a part of the keys' clock broke")
            failures.append(error)
    if failures:
        raise failures[0]
