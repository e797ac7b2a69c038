"""Limits as a Django app."""

from django.apps import AppConfig


class LimitsConfig(AppConfig):
    """``tenants.limits``, label ``limits``."""

    name = "tenants.limits"
    label = "limits"
    verbose_name = "Limits"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Follow what happens to keys, tenants, tiers and limits, so that the edges know it."""
        from core.outbox.registry import subscribe  # noqa: PLC0415  # models must be loaded before either
        from tenants.limits import projecting  # noqa: PLC0415

        # What was revoked must not wait for a worker that is busy: the process that commits tells the edges as well. One that cannot be taken
        # is let go: the next about the same thing, or a rebuild, says all that it would have said.
        subscribe(projecting.CONSUMER, projecting.TYPES, projecting.follow, when_dead="pass", prompt=True)
