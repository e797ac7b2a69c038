"""Members as a Django app."""

from django.apps import AppConfig


class MembersConfig(AppConfig):
    """``tenants.members``, label ``members``."""

    name = "tenants.members"
    label = "members"
    verbose_name = "Members"
    default_auto_field = "django.db.models.BigAutoField"
