"""Who is noisy: the tenants with most load, or most refusals, in a window, with their part of what there is. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from controlplane.console import limit_words, usage_window
from controlplane.console.usage_chart import bars_of
from tenants.models import Tenant
from tenants.usage.figures import Load, Rank
from tenants.usage.selectors import top_tenants

MOST = 20
BY = {Rank.LOAD: "by load", Rank.REFUSALS: "by refusals"}


@dataclass(frozen=True, slots=True)
class LoadLine:
    """One tenant in the list. ``percent`` is of the platform's capacity, or of all load where that is not known."""

    tenant: Tenant
    load: Load
    a_second: float
    percent: float
    refused_percent: float
    refused_by: str
    usage_url: str


def moving(request: HttpRequest) -> dict[str, Any]:
    """Give the list and its plot, in a fixed number of queries."""
    window = usage_window.chosen(request.GET.get("window", ""))
    by = Rank.REFUSALS if request.GET.get("by") == Rank.REFUSALS else Rank.LOAD
    now = timezone.now()
    since = window.begins(now)
    loads = top_tenants(since=since, until=now, by=by, most=MOST, capacity=settings.CAPACITY_PER_SECOND)
    tenants = Tenant.objects.select_related("tier").in_bulk([load.tenant_id for load in loads])
    lines = [_line(load, tenants[load.tenant_id], now - since, window.word) for load in loads if load.tenant_id in tenants]
    return {
        "window": window,
        "windows": usage_window.WINDOWS,
        "by": by.value,
        "ranks": [(rank.value, title) for rank, title in BY.items()],
        "lines": lines,
        "bars": bars_of([(line.tenant.name, line.load.allowed, line.load.refused) for line in lines[:10]]),
        "capacity": settings.CAPACITY_PER_SECOND,
        "has_more": len(lines) == MOST,
        "is_moving": False,
    }


def whole(request: HttpRequest) -> dict[str, Any]:
    """Give the whole page: the moving part, and where to ask for it again."""
    shown = moving(request)
    return {**shown, "live_url": f"{reverse('admin:load_live')}?window={shown['window'].word}&by={shown['by']}"}


def _line(load: Load, tenant: Tenant, lasted: timedelta, window: str) -> LoadLine:
    asked = load.allowed + load.refused
    return LoadLine(
        tenant,
        load,
        load.cost / max(1.0, lasted.total_seconds()),
        100 * load.share,
        100 * load.refused / asked if asked else 0.0,
        limit_words.reason_of(load.refused_by) if load.refused_by else "",
        f"{reverse('admin:tenants_tenant_usage', args=[tenant.pk])}?window={window}",
    )
