"""The clock's entry point: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task

from tenants.limits import services


@shared_task(name="tenants.limits.tasks.tend", ignore_result=True)
def tend() -> None:
    """Close the overrides whose time is over."""
    services.end_expired()
