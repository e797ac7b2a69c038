"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task

from tenants.members import mailing


@shared_task(name="tenants.members.tasks.mail", ignore_result=True)
def mail() -> None:
    """Send the links that are wanted."""
    mailing.send_due()
