"""What the tier promises, and what the tenant's keys did in the last 24 hours. Reads only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from controlplane.portal import key_chart, key_lines
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from tenants.keys import selectors
from tenants.keys.models import KeyUse

MOST_SHOWN = 20


def usage(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the tier's promises and the busiest keys, in a fixed number of queries."""
    tenant, now = portal_of(request).tenant, timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    uses = KeyUse.objects.filter(
        version__key__tenant_id=tenant.pk, hour__gte=hour - timedelta(hours=key_chart.HOURS - 1)
    ).order_by()
    by_key = list(
        uses.values("version__key_id").annotate(calls=Sum("calls")).order_by("-calls", "version__key_id")[: MOST_SHOWN + 1]
    )
    by_hour = dict(uses.values_list("hour").annotate(calls=Sum("calls")))
    keys = {
        row.pk: row for row in selectors.list_keys(tenant_id=tenant.pk).filter(pk__in=[one["version__key_id"] for one in by_key])
    }
    lines = {line.key.pk: line for line in key_lines.lines_of(tenant.pk, keys.values(), now)}
    hours = [by_hour.get(hour - timedelta(hours=ago), 0) for ago in reversed(range(key_chart.HOURS))]
    busiest = [(lines[one["version__key_id"]], one["calls"]) for one in by_key[:MOST_SHOWN] if one["version__key_id"] in lines]
    context: dict[str, Any] = {
        "tier": tenant.tier,
        "busiest": busiest,
        "has_more": len(by_key) > MOST_SHOWN,
        "chart": key_chart.chart_of([("all", 0, "current")], {"all": hours}, now),
    }
    return page(request, "usage", section="usage", **context)
