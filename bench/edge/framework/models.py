from __future__ import annotations

from django.db import models
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager


class Tenant(models.Model):
    public_id = models.CharField(max_length=40, unique=True)
    rate_per_second = models.IntegerField()
    quota_per_day = models.BigIntegerField()

    def __str__(self) -> str:
        return self.public_id


class TenantKeyManager(BaseAPIKeyManager):
    def get_usable_keys(self) -> models.QuerySet[TenantKey]:
        """With the tenant, so that one query does."""
        usable: models.QuerySet[TenantKey] = super().get_usable_keys()
        return usable.select_related("tenant")


class TenantKey(AbstractAPIKey):
    """As the package's documentation says to do where a key belongs to somebody."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)
    objects = TenantKeyManager()
