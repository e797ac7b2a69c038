"""How the tenant's limits stand, what was allowed and refused by hour for a day back, and the busiest keys of a day. Reads only.

What was refused, and how limits stand, lags behind the edges by some seconds (:mod:`tenants.usage.selectors`). A day is one of UTC, as a
quota's is: the busiest keys of a day are read off an index, those of the last 24 hours would have to be added up over all keys.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from controlplane.portal import key_chart, key_lines, usage_lines
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from tenants.keys import evidence, selectors
from tenants.limits.selectors import effective_limits
from tenants.models import Tenant
from tenants.usage import selectors as usage_selectors
from tenants.usage.figures import Span

MOST_SHOWN = 20
DAYS = {"today": 0, "yesterday": 1}
"""Which day the busiest keys are of: how many days ago it was."""
SERIES = (("refused", 0, "refused"), ("allowed", 0, "allowed"))
"""What the bars are made of, from the top."""


def usage(request: HttpRequest, slug: str) -> HttpResponse:
    """Show limits, calls, refusals and the busiest keys, in a fixed number of queries."""
    tenant, now = portal_of(request).tenant, timezone.now()
    chosen = request.GET.get("day", "")
    chosen = chosen if chosen in DAYS else "today"
    day = now.date() - timedelta(days=DAYS[chosen])
    calls = evidence.busiest_of(tenant.pk, day, most=MOST_SHOWN + 1)
    rows = selectors.listed(selectors.list_keys(tenant_id=tenant.pk)).filter(pk__in=[key_id for key_id, _ in calls[:MOST_SHOWN]])
    lines = {line.key.pk: line for line in key_lines.lines_of(tenant.pk, rows, now)}
    context: dict[str, Any] = {
        "tier": tenant.tier,
        "busiest": [(lines[key_id], number) for key_id, number in calls[:MOST_SHOWN] if key_id in lines],
        "has_more": len(calls) > MOST_SHOWN,
        "day": day,
        "days": tuple(DAYS),
        "chosen": chosen,
        **_calls_of(tenant, now),
        "limits": _limits_of(tenant, now),
    }
    return page(request, "usage", section="usage", **context)


def _calls_of(tenant: Tenant, now: datetime) -> dict[str, Any]:
    """The last 24 hours: the one that runs, and the 23 before it."""
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    points = usage_selectors.over_time(tenant.pk, span=Span.HOUR, since=until - timedelta(hours=key_chart.HOURS), until=until)
    refused = [point.refused for point in points]
    calls = {"allowed": evidence.hours_of_tenant(tenant.pk, now=now), "refused": refused}
    return {"chart": key_chart.chart_of(SERIES, calls, now), "reasons": usage_lines.reasons_of(points), "refused": sum(refused)}


def _limits_of(tenant: Tenant, now: datetime) -> list[usage_lines.LimitLine]:
    limits, this_minute = effective_limits(tenant, now=now), now.replace(second=0, microsecond=0)
    quotas = usage_selectors.quota_uses_of([tenant], now, limits={tenant.pk: limits})[tenant.pk]
    (minute,) = usage_selectors.over_time(tenant.pk, span=Span.MINUTE, since=this_minute - timedelta(minutes=1), until=this_minute)
    return usage_lines.lines_of(limits, quotas, minute)
