"""The embedded stack as a Django app: it brings commands and no models."""

from __future__ import annotations

from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    """Brings ``manage.py up``, ``settle`` and ``totp``."""

    name = "controlplane.embedded"
    label = "embedded"
    verbose_name = "Embedded stack"
