"""The console as a Django app: its static files, its commands, its sign-in throttle and its two groups."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConsoleConfig(AppConfig):
    """``controlplane.console``, label ``console``. The admin site itself is wired in ``controlplane/apps.py``."""

    name = "controlplane.console"
    label = "console"
    verbose_name = "Console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the groups made after every migration, as Django makes its permissions: a role must never be missing."""
        post_migrate.connect(_seed_groups, sender=self, dispatch_uid="console.groups")


def _seed_groups(**_: Any) -> None:
    from controlplane.console.access import seed_groups  # noqa: PLC0415  # models are not ready when this module is imported

    seed_groups()
