"""The workers' entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task

from provisioning import drift, engine, people, sweeping


@shared_task(name="provisioning.tasks.run", ignore_result=True)
def run(operation_id: str) -> None:
    """Work on one operation."""
    engine.run(operation_id)


@shared_task(name="provisioning.tasks.sweep", ignore_result=True)
def sweep() -> None:
    """Ring again for every operation whose message was lost or whose worker died."""
    sweeping.ring_overdue()


@shared_task(name="provisioning.tasks.start_due", ignore_result=True)
def start_due() -> None:
    """Start the removal of every tenant whose grace has run out."""
    sweeping.start_due_removals()


@shared_task(name="provisioning.tasks.check_drift", ignore_result=True)
def check_drift() -> None:
    """Read back a slice of what exists, least recently observed first, and repair what differs."""
    drift.check_oldest()


@shared_task(name="provisioning.tasks.settle_people", ignore_result=True)
def settle_people() -> None:
    """Bring the user pools to what the members' rows say."""
    people.settle_due()
