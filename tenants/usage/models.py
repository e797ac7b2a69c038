"""What was counted: by minute, hour and day for each tenant, by hour for each version of a key; and which batches are in it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from tenants.keys.models import KeyVersion
from tenants.models import Tenant

LEVELS = (80, 90, 100)
"""Percent of a quota that are told."""


class CountedBatch(models.Model):
    """A batch that is in the counters, so that it is not counted again. ``at`` is when it was flushed, by the edge's clock."""

    id = models.CharField(primary_key=True, max_length=40, editable=False)
    at = models.DateTimeField()
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "counted batches"

    def __str__(self) -> str:
        return self.id


class Counted(models.Model):
    """What requests of one tenant came to in a stretch of time: ``outcome`` is a code, ``refused_by`` the limit that refused, or empty."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    outcome = models.CharField(max_length=32)
    refused_by = models.CharField(max_length=63, blank=True)
    requests = models.PositiveBigIntegerField(default=0)
    cost = models.PositiveBigIntegerField(default=0)

    class Meta:
        abstract = True


class UsageMinute(Counted):
    """By minute (UTC), kept for a week."""

    minute = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "minute", "outcome", "refused_by"], name="usage_minute_counter"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.minute:%Y-%m-%dT%H:%M}Z {self.outcome} {self.requests}"


class UsageHour(Counted):
    """By hour (UTC)."""

    hour = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "hour", "outcome", "refused_by"], name="usage_hour_counter"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.hour:%Y-%m-%dT%H}Z {self.outcome} {self.requests}"


class UsageDay(Counted):
    """By day (UTC). What was admitted in it is what quotas were charged."""

    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", "outcome", "refused_by"], name="usage_day_counter"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.day} {self.outcome} {self.requests}"


class VersionHour(models.Model):
    """How often a version of a key was refused in one hour (UTC), by outcome. What was admitted is in :class:`tenants.keys.models.KeyUse`."""

    version = models.ForeignKey(KeyVersion, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    hour = models.DateTimeField()
    outcome = models.CharField(max_length=32)
    requests = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "hour", "outcome"], name="usage_version_hour_counter")]

    def __str__(self) -> str:
        return f"{self.version_id} {self.hour:%Y-%m-%dT%H}Z {self.outcome} {self.requests}"


class ThresholdReached(models.Model):
    """That a tenant has used so many percent of a quota in a period, and was told. ``period`` is the first day of the period (UTC)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    limit = models.CharField(max_length=63)
    period = models.DateField()
    level = models.PositiveSmallIntegerField()
    used = models.PositiveBigIntegerField()
    allowance = models.PositiveBigIntegerField()
    reached_at = models.DateTimeField()

    class Meta:
        ordering = ["-reached_at", "-level"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "limit", "period", "level"], name="usage_threshold_once_a_period"),
            models.CheckConstraint(condition=Q(level__in=LEVELS), name="usage_threshold_level_known"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.limit} {self.level} %"
