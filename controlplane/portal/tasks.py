"""The clock's entry points: thin, repeatable, and safe to lose."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore


@shared_task(name="controlplane.portal.tasks.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Drop the rows of sessions that have ended, the operators' too."""
    SessionStore.clear_expired()
