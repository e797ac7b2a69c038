"""The composition root as two Django apps: itself, and the admin site that is the operators' console."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ControlplaneConfig(AppConfig):
    """Commands and system checks of the whole."""

    name = "controlplane"
    label = "controlplane"
    verbose_name = "Control plane"

    def ready(self) -> None:
        """Register the checks and make ours the Celery application that tasks are sent by; importing them does it."""
        from controlplane import celery, checks  # noqa: F401, PLC0415  # settings must be ready before either is


class ConsoleAdminConfig(AdminConfig):
    """Django's admin with our own site as its default.

    Stands here and not in the console's ``apps.py``: Django refuses a module with two default app configurations, and the console has
    one of its own.
    """

    default_site = "controlplane.console.site.ConsoleSite"
