"""Provisioning as a Django app."""

from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    """Operations, steps and the ledger of what exists in AWS."""

    name = "provisioning"
    label = "provisioning"
    verbose_name = "Provisioning"
    default_auto_field = "django.db.models.BigAutoField"
