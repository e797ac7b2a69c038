"""The portal as a Django app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Pages, rules and sessions of tenants' people; it has no tables of its own."""

    name = "controlplane.portal"
    label = "portal"
    verbose_name = "Portal"
