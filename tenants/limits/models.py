"""What differs from the tier: overrides of tenants, and keys' own limits. Constraints say what must never be."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from core.ids import OVERRIDE, new_id
from tenants.keys.models import ApiKey
from tenants.limits.effective import EXACT, INTEGER, SMALLINT, Limited
from tenants.models import Tenant


def new_override_id() -> str:
    """A fresh ``ovr_`` id."""
    return new_id(OVERRIDE)


class OverrideState(models.TextChoices):
    """Where an override stands. Each comment says who acts next."""

    OPEN = (
        "open"  # whoever revokes or replaces it, or the clock at its end; whether it has expired is asked of the clock at every use
    )
    REPLACED = "replaced"  # nobody: another of the same limit has taken its place
    REVOKED = "revoked"  # nobody
    EXPIRED = "expired"  # nobody


_POSITIVE = [Limited.RATE.value, Limited.BURST.value, Limited.WEIGHT.value]
_WHOLE = [Limited.RATE.value, Limited.BURST.value, Limited.CONCURRENCY.value]


class LimitOverride(models.Model):
    """One of a tier's numbers, replaced for one tenant, by somebody, for a reason, until a time.

    An override is never edited: a new one replaces it, so that the rows are the history. ``ended_by`` and ``ended_reason`` say who ended it.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_override_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="limit_overrides")
    limited = models.CharField(max_length=16, choices=[(one.value, one.value) for one in Limited])
    value = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=500)
    set_by = models.CharField(max_length=200)
    set_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=OverrideState.choices, default=OverrideState.OPEN)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True)
    ended_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "override"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="override_tenant_idx"),
            models.Index(fields=["expires_at"], name="override_expiry_idx", condition=Q(state="open")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "limited"], condition=Q(state="open"), name="override_one_open"),
            models.CheckConstraint(condition=Q(limited__in=[one.value for one in Limited]), name="override_limited_known"),
            models.CheckConstraint(condition=Q(state__in=OverrideState.values), name="override_state_known"),
            models.CheckConstraint(condition=~Q(limited__in=_POSITIVE) | Q(value__gt=0), name="override_positive"),
            models.CheckConstraint(
                condition=(~Q(limited__in=_WHOLE) | Q(value__lte=INTEGER))
                & (~Q(limited=Limited.WEIGHT.value) | Q(value__lte=SMALLINT))
                & Q(value__lte=EXACT),
                name="override_fits",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="override_has_a_reason"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("set_at")), name="override_has_a_life"
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="override_ended_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.limited} {self.value}"


class KeyLimit(models.Model):
    """What one key may ask for at most, besides what its tenant may; empty does not limit. ``revision`` counts edits.

    A tenant that issues a key for a test rig can keep it from using up what the others need.
    """

    key = models.OneToOneField(ApiKey, primary_key=True, on_delete=models.CASCADE, related_name="limit")
    rate_per_second = models.PositiveIntegerField(null=True, blank=True)
    burst = models.PositiveIntegerField(null=True, blank=True)
    quota_per_day = models.PositiveBigIntegerField(null=True, blank=True)
    quota_per_month = models.PositiveBigIntegerField(null=True, blank=True)
    concurrency = models.PositiveIntegerField(null=True, blank=True)
    set_by = models.CharField(max_length=200)
    set_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = "limits of a key"
        verbose_name_plural = "limits of keys"
        constraints = [
            models.CheckConstraint(
                condition=Q(rate_per_second__isnull=True, burst__isnull=True)
                # A comparison with NULL is unknown, which a check lets pass.
                | Q(rate_per_second__isnull=False, burst__isnull=False, rate_per_second__gt=0, burst__gt=0),
                name="key_limit_burst_with_rate",
            ),
            models.CheckConstraint(
                condition=(Q(quota_per_day__isnull=True) | Q(quota_per_day__lte=EXACT))
                & (Q(quota_per_month__isnull=True) | Q(quota_per_month__lte=EXACT)),
                name="key_limit_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key_id}: limits"
