"""Keys as a Django app."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """``tenants.keys``, label ``keys``."""

    name = "tenants.keys"
    label = "keys"
    verbose_name = "API keys"
    default_auto_field = "django.db.models.BigAutoField"
