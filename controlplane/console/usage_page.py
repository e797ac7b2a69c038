"""What a tenant's page of usage shows: requests over time with the limit's line, refusals by limit, and what another limit would have done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from controlplane.console import limit_page, limit_words, usage_window, what_if
from controlplane.console.access import may_act
from controlplane.console.usage_chart import chart_of
from tenants.limits.effective import Limited
from tenants.models import Tenant
from tenants.usage.figures import Point
from tenants.usage.selectors import over_time, quota_uses_of


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """What one limit refused. ``override_url`` leads to an override of it, empty where there can be none."""

    name: str
    requests: int
    percent: float
    override_url: str


def whole(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Give the page, in a fixed number of queries."""
    window, now = usage_window.chosen(request.GET.get("window", "")), timezone.now()
    points = over_time(tenant.pk, span=window.span, since=window.begins(now), until=now)
    limits = limit_page.of_tenant(tenant)
    holds = {line.limited: line.value for line in limits["lines"]}
    line = (holds[Limited.RATE] or 0) * usage_window.SECONDS[window.span]
    chart = chart_of([(point.at, point.allowed, point.refused) for point in points], line)
    asked = request.GET.get("limited") is not None
    form = what_if.WhatIfForm(request.GET if asked else None, initial={"limited": Limited.RATE.value})
    answer, filled = None, ""
    if asked and form.is_valid():
        limited, value = Limited(form.cleaned_data["limited"]), form.cleaned_data["value"]
        answer = what_if.ask(tenant, limited, value, window, now)
        filled = override_url(tenant, limited, holds, value)
    acting = may_act(request) and limits["may_change"]
    return {
        "title": f"Usage of {tenant.name}",
        "tenant": tenant,
        "window": window,
        "windows": usage_window.WINDOWS,
        "chart": chart,
        "refusals": refusals_in(points, tenant, holds),
        "limits": limits,
        "what_if_form": form,
        "answer": answer,
        "override_url": filled if acting else "",
        "quotas": quota_uses_of([tenant], now)[tenant.pk],
        "may_act": may_act(request),
    }


def refusals_in(points: list[Point], tenant: Tenant, holds: dict[str, int | None]) -> list[RefusalLine]:
    """Add the refusals of these points up by what refused, the most frequent first."""
    counted: Counter[str] = Counter()
    for point in points:
        counted.update(point.refusals)
    total = sum(counted.values())
    return [
        RefusalLine(
            limit_words.reason_of(name), number, 100 * number / total, override_url(tenant, limit_words.REASONS.get(name), holds)
        )
        for name, number in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]


def override_url(tenant: Tenant, limited: Limited | None, holds: dict[str, int | None], value: int | None = None) -> str:
    """Give the address of an override that is filled in: the limit, and the number that holds now or the one that is proposed."""
    if limited is None:
        return ""
    filled = {"limited": limited.value, "value": value if value is not None else holds[limited], "ends": "24h", "from": "usage"}
    query = urlencode({name: given for name, given in filled.items() if given is not None})
    return f"{reverse('admin:tenants_tenant_override', args=[tenant.pk])}?{query}"
