"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task

from tenants.limits import projecting, services


@shared_task(name="tenants.limits.tasks.tend", ignore_result=True)
def tend() -> None:
    """Close the overrides whose time is over."""
    services.end_expired()


@shared_task(name="tenants.limits.tasks.project", ignore_result=True)
def project() -> None:
    """Rebuild what the edges read when Redis has lost it."""
    projecting.ensure()
