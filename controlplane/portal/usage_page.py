"""What the tier promises, and what the tenant's keys did: by hour for a day back, and the busiest of them on a day. Reads only.

A day is one of UTC, as a quota's is: the busiest keys of a day are read off an index, those of the last 24 hours would have to be added up
over all keys.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from controlplane.portal import key_chart, key_lines
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from tenants.keys import evidence, selectors

MOST_SHOWN = 20
DAYS = {"today": 0, "yesterday": 1}
"""Which day the busiest keys are of: how many days ago it was."""


def usage(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the tier's promises and the busiest keys, in a fixed number of queries."""
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
        "chart": key_chart.chart_of([("all", 0, "current")], {"all": evidence.hours_of_tenant(tenant.pk, now=now)}, now),
    }
    return page(request, "usage", section="usage", **context)
