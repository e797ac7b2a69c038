"""Usage as rows, as a roll-up would have left them: for pages and pictures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from tenants.models import Tenant
from tenants.usage.models import UsageDay, UsageHour, UsageMinute


def count(tenant: Tenant, at: datetime, requests: int, refused_by: str = "", *, outcome: str = "", cost: int | None = None) -> None:
    """Count requests of one minute in its minute, hour and day; with a limit's name they were refused by it."""
    outcome = outcome or ("RATE_LIMITED" if refused_by else "VALID")
    minute = at.replace(second=0, microsecond=0)
    places: tuple[tuple[Any, dict[str, Any]], ...] = (
        (UsageMinute, {"minute": minute}),
        (UsageHour, {"hour": minute.replace(minute=0)}),
        (UsageDay, {"day": minute.date()}),
    )
    spent = requests if cost is None else cost
    for model, place in places:
        row, _ = model.objects.get_or_create(tenant=tenant, outcome=outcome, refused_by=refused_by, **place)
        model.objects.filter(pk=row.pk).update(requests=F("requests") + requests, cost=F("cost") + spent)


def flood(tenant: Tenant, now: datetime, *, minutes: int, allowed: int, refused: int, limit: str = "rate") -> None:
    """Have a tenant ask for more than it may, for so many minutes up to now; a little more each minute."""
    for ago in range(minutes):
        at = now - timedelta(minutes=ago)
        count(tenant, at, allowed)
        count(tenant, at, refused + refused * (minutes - ago) // minutes, limit)
