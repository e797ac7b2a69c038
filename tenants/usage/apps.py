"""Usage as a Django app."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """``tenants.usage``, label ``usage``."""

    name = "tenants.usage"
    label = "usage"
    verbose_name = "Usage"
    default_auto_field = "django.db.models.BigAutoField"
