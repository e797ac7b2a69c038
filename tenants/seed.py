"""The four tiers that a new installation starts with, as data that operators may edit afterwards."""

from __future__ import annotations

from typing import Any

from core.actors import system
from tenants import services
from tenants.facts import FailPolicy, IsolationModel
from tenants.models import Cell, Tier

DAY_SECONDS = 86_400

TIERS: dict[str, dict[str, Any]] = {
    "basic": {
        "name": "Basic",
        "isolation_model": IsolationModel.POOL,
        "rate_per_second": 10,
        "burst": 20,
        "quota_per_day": 100_000,
        "quota_per_month": 2_000_000,
        "concurrency": 10,
        "weight": 1,
        "fail_policy": FailPolicy.OPEN,
        "log_retention_days": 14,
        "offboarding_grace_seconds": 7 * DAY_SECONDS,
    },
    "standard": {
        "name": "Standard",
        "isolation_model": IsolationModel.BRIDGE,
        "rate_per_second": 50,
        "burst": 100,
        "quota_per_day": 1_000_000,
        "quota_per_month": 20_000_000,
        "concurrency": 50,
        "weight": 4,
        "fail_policy": FailPolicy.OPEN,
        "sso_allowed": True,
        "log_retention_days": 30,
        "offboarding_grace_seconds": 14 * DAY_SECONDS,
    },
    "premium": {
        "name": "Premium",
        "isolation_model": IsolationModel.SILO,
        "rate_per_second": 250,
        "burst": 500,
        "quota_per_day": 10_000_000,
        "quota_per_month": 200_000_000,
        "concurrency": 250,
        "weight": 16,
        "fail_policy": FailPolicy.OPEN,
        "sso_allowed": True,
        "key_max_age_days": 180,
        "log_retention_days": 90,
        "offboarding_grace_seconds": 30 * DAY_SECONDS,
    },
    "sovereign": {
        "name": "Sovereign",
        "isolation_model": IsolationModel.SOVEREIGN,
        "rate_per_second": 500,
        "burst": 1_000,
        "quota_per_day": 50_000_000,
        "quota_per_month": 1_000_000_000,
        "concurrency": 500,
        "weight": 32,
        "fail_policy": FailPolicy.CLOSED,
        "sso_allowed": True,
        "key_max_age_days": 90,
        "key_overlap_seconds": 3_600,
        "log_retention_days": 365,
        "offboarding_grace_seconds": 30 * DAY_SECONDS,
    },
}


def seed_tiers() -> None:
    """Add the tiers that are missing; one that exists is left as operators made it."""
    known = set(Tier.objects.values_list("pk", flat=True))
    for code, values in TIERS.items():
        if code not in known:
            services.create_tier(actor=system("seed"), code=code, reason="first start", **values)


def seed_cell(**values: Any) -> Cell:
    """Register a cell unless its code is known; gives the row. Arguments are those of ``services.register_cell`` but the actor."""
    known = Cell.objects.filter(code=values["code"]).first()
    return known or services.register_cell(actor=system("seed"), reason="first start", **values)
