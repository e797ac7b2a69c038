"""The first page: what needs an operator, what moves, how full the cells are, and what happened of late. Reads only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone

from controlplane.console import acts, events, key_counts, timeline
from controlplane.console.access import may_act
from controlplane.console.chart import chart_of
from core.audit.selectors import list_events
from provisioning import selectors
from provisioning.models import ACTIVE_STATES, Operation, OperationState, Resource, ResourceState
from tenants.lifecycle import TenantState
from tenants.models import Cell, CellState, Tenant, Tier

SHOWN = 6
EVENTS_SHOWN = 10
CELLS_SHOWN = 6
"""Each costs three queries; the rest have pages of their own."""
SOON = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failed operation with the acts that are lawful for it."""

    line: timeline.OperationLine
    acts: tuple[acts.Act, ...]


def moving(request: HttpRequest) -> dict[str, Any]:
    """Give all that renews itself; the number of queries depends on the number of cells alone, and is bounded by CELLS_SHOWN."""
    counts = selectors.count_operations()
    failed = list(_operations(OperationState.FAILED)[:SHOWN])
    running = list(_operations(*ACTIVE_STATES)[:SHOWN])
    failed_lines, running_lines = _split(timeline.lines_of([*failed, *running]), len(failed))
    acting = may_act(request)
    cells = list(Cell.objects.all())
    drifted = Resource.objects.filter(state=ResourceState.DRIFTED).count()
    chart = chart_of(_tenants_by_state_and_model())
    under_way = sum(counts[state] for state in ACTIVE_STATES)
    return {
        "troubles": [
            Trouble(line, acts.of_operation(row) if acting else ()) for line, row in zip(failed_lines, failed, strict=True)
        ],
        "failed_count": counts[OperationState.FAILED],
        "running": running_lines,
        "running_count": under_way,
        "waiting_count": counts[OperationState.WAITING],
        "is_moving": under_way > 0,
        "drifted_count": drifted,
        "chart": chart,
        "tenant_count": chart.total,
        "active_count": chart.total_of(TenantState.ACTIVE),
        "due": _due_soon(),
        "keys": key_counts.trouble(),
        "cells": [{"cell": cell, "quotas": selectors.quotas_of(cell)} for cell in cells[:CELLS_SHOWN]],
        "more_cells": len(cells) > CELLS_SHOWN,
        "unready": [cell for cell in cells if cell.state != CellState.READY],
        "events": events.lines_of(list_events()[:EVENTS_SHOWN]),
        "may_act": acting,
    }


def _operations(*states: str) -> Any:
    return Operation.objects.select_related("tenant", "cell").filter(state__in=states).order_by("-id")


def _split(lines: list[timeline.OperationLine], at: int) -> tuple[list[timeline.OperationLine], list[timeline.OperationLine]]:
    return lines[:at], lines[at:]


def _tenants_by_state_and_model() -> Counter[tuple[str, str]]:
    """Count by tier and look its model up here: a join over every tenant would cost more than the counting."""
    models = dict(Tier.objects.values_list("pk", "isolation_model"))
    numbers: Counter[tuple[str, str]] = Counter()
    for state, tier, number in Tenant.objects.values_list("state", "tier_id").annotate(number=Count("pk")).order_by():
        numbers[state, models[tier]] += number
    return numbers


def _due_soon() -> list[Tenant]:
    soon = timezone.now() + SOON
    return list(Tenant.objects.filter(state=TenantState.OFFBOARDING, offboard_due_at__lte=soon).order_by("offboard_due_at")[:SHOWN])
