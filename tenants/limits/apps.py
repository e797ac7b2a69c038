"""Limits as a Django app."""

from django.apps import AppConfig


class LimitsConfig(AppConfig):
    """``tenants.limits``, label ``limits``."""

    name = "tenants.limits"
    label = "limits"
    verbose_name = "Limits"
    default_auto_field = "django.db.models.BigAutoField"
