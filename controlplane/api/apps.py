"""The API as a Django app."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Operator tokens and idempotency records."""

    name = "controlplane.api"
    label = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"
