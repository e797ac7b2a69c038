"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task
from django.core.cache import cache

from tenants.usage import retention, rolling, thresholds

MARK, ALONE_SECONDS = "usage-clock-roll-up", 30
"""One at a time over all workers: two at once would read the same. A mark that is lost, or runs out, costs nothing but that."""


@shared_task(name="tenants.usage.tasks.roll_up", ignore_result=True)
def roll_up() -> None:
    """Add up what the edges have counted, and tell which thresholds were reached by it."""
    if not cache.add(MARK, True, timeout=ALONE_SECONDS):
        return
    try:
        thresholds.tell_reached(rolling.roll_up().tenants)
    finally:
        cache.delete(MARK)


@shared_task(name="tenants.usage.tasks.watch", ignore_result=True)
def watch() -> None:
    """Tell the thresholds that were reached by a changed limit, or that a crash left untold."""
    thresholds.sweep()


@shared_task(name="tenants.usage.tasks.forget", ignore_result=True)
def forget() -> None:
    """Delete counters that are too old."""
    retention.forget()
