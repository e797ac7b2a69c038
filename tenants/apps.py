"""The registry of tenants as a Django app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Tenants, tiers and cells."""

    name = "tenants"
    label = "tenants"
    verbose_name = "Tenants"
    default_auto_field = "django.db.models.BigAutoField"
