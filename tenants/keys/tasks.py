"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task

from tenants.keys import tending


@shared_task(name="tenants.keys.tasks.settle", ignore_result=True)
def settle() -> None:
    """Finish what a process left between the database and the store, and carry out rotations that are due."""
    tending.abandon_unfinished()
    tending.rotate_due()
    tending.settle_stores()


@shared_task(name="tenants.keys.tasks.tend", ignore_result=True)
def tend() -> None:
    """End overlaps and lives, remind, find the rotations whose time has come, and have old sightings renewed."""
    tending.end_overlaps()
    tending.end_expired()
    tending.remind()
    tending.schedule_rotations()
    tending.look_again()
