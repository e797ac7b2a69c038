"""Reads: the limits that hold for tenants and keys, and the overrides behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from core.errors import NotFoundError
from core.ids import OVERRIDE, is_id
from tenants.facts import FailPolicy
from tenants.limits import effective
from tenants.limits.effective import KeyLimits, Limited, Limits, Override
from tenants.limits.models import KeyLimit, LimitOverride, OverrideState
from tenants.models import Tenant, Tier


def effective_limits(tenant: Tenant, *, now: datetime | None = None) -> Limits:
    """Give what holds for a tenant, in one query beside its tier's row."""
    return effective_limits_of([tenant], now=now)[tenant.pk]


def effective_limits_of(tenants: Iterable[Tenant], *, now: datetime | None = None) -> dict[str, Limits]:
    """Give what holds for each of these, by id, in one query for all; their tiers should be joined."""
    tenants, now = list(tenants), now or timezone.now()
    found: dict[str, list[Override]] = {}
    for row in LimitOverride.objects.filter(tenant__in=[tenant.pk for tenant in tenants], state=OverrideState.OPEN).order_by("pk"):
        found.setdefault(row.tenant_id, []).append(Override(Limited(row.limited), row.value, row.expires_at, row.pk))
    return {tenant.pk: effective.merge(limits_of_tier(tenant.tier), found.get(tenant.pk, ()), now) for tenant in tenants}


def limits_of_tier(tier: Tier) -> Limits:
    """Give what a tier promises."""
    return Limits(
        rate_per_second=tier.rate_per_second,
        burst=tier.burst,
        quota_per_day=tier.quota_per_day,
        quota_per_month=tier.quota_per_month,
        concurrency=tier.concurrency,
        weight=tier.weight,
        fail_policy=FailPolicy(tier.fail_policy),
    )


def limits_of_key(key_id: str) -> KeyLimits | None:
    """Give a key's own limits; None when it has none."""
    row = find_key_limit(key_id)
    return limits_of_key_row(row) if row is not None else None


def limits_of_key_row(row: KeyLimit) -> KeyLimits:
    """Give the row as a plain value."""
    return KeyLimits(row.rate_per_second, row.burst, row.quota_per_day, row.quota_per_month, row.concurrency)


def find_key_limit(key_id: str) -> KeyLimit | None:
    """Give the row of a key's own limits; None for a key that never had any."""
    return KeyLimit.objects.filter(pk=key_id).first()


def list_overrides(*, tenant_id: str = "", state: str = "", now: datetime | None = None) -> QuerySet[LimitOverride]:
    """Give overrides, newest first, those that have ended too. ``state`` is as :func:`state_of` gives it."""
    rows = LimitOverride.objects.select_related("tenant")
    over = Q(state=OverrideState.OPEN, expires_at__lte=now or timezone.now())
    if state == OverrideState.EXPIRED:
        rows = rows.filter(over | Q(state=state))
    elif state:
        rows = rows.filter(state=state).exclude(over)
    return rows.filter(tenant_id=tenant_id) if tenant_id else rows


def holding_overrides(tenant_id: str, *, now: datetime | None = None) -> dict[Limited, LimitOverride]:
    """Give the overrides that hold for a tenant now, by what they limit, in one query."""
    rows = list_overrides(tenant_id=tenant_id, state=OverrideState.OPEN, now=now).select_related(None)
    return {Limited(row.limited): row for row in rows}


@dataclass(frozen=True, slots=True)
class Holding:
    """One limit of a tenant: what its tier says, and the override that holds in its place; None in a number does not limit."""

    limited: Limited
    of_tier: int | None
    override: LimitOverride | None

    @property
    def value(self) -> int | None:
        """What holds."""
        return self.of_tier if self.override is None else self.override.value


def holdings_of(tenant: Tenant, *, now: datetime | None = None) -> tuple[Holding, ...]:
    """Give every limit of a tenant with where it comes from, in one query beside its tier's row."""
    of_tier, overrides = limits_of_tier(tenant.tier), holding_overrides(tenant.pk, now=now)
    return tuple(Holding(limited, getattr(of_tier, limited), overrides.get(limited)) for limited in Limited)


def state_of(override: LimitOverride, now: datetime | None = None) -> OverrideState:
    """Give the state as the clock has it: one whose time is over is expired, whether or not its row has been closed."""
    is_over = override.expires_at is not None and override.expires_at <= (now or timezone.now())
    return OverrideState.EXPIRED if override.state == OverrideState.OPEN and is_over else OverrideState(override.state)


def get_override(tenant_id: str, override_id: str) -> LimitOverride:
    """Give one of a tenant's overrides; raises NotFoundError, for another tenant's as well."""
    rows = LimitOverride.objects.filter(tenant_id=tenant_id, pk=override_id)
    override = rows.first() if is_id(override_id, OVERRIDE) else None
    if override is None:
        raise NotFoundError("There is no such override.")
    return override
