"""Usage as a Django app."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """``tenants.usage``, label ``usage``."""

    name = "tenants.usage"
    label = "usage"
    verbose_name = "Usage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say to the limits who counts, for the day on which Redis loses what was spent."""
        from tenants.limits.putting_back import count_on  # noqa: PLC0415  # models must be loaded before either
        from tenants.usage.spent import used_by_keys, used_by_tenants  # noqa: PLC0415

        count_on(used_by_tenants, used_by_keys)
