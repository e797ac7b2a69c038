"""What a tenant's page shows: facts, acts, the timeline of its operations, what it has, and what happened to it. Reads only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from controlplane.console import acts, events, key_page, limit_page, timeline, words
from controlplane.console.access import may_act
from core.audit.selectors import list_events
from provisioning import selectors
from provisioning.models import Resource, ResourceState
from tenants.lifecycle import TenantState
from tenants.members.invitations import invitation_of
from tenants.members.selectors import find_first
from tenants.models import Tenant

OPERATIONS_SHOWN = 10
EVENTS_SHOWN = 12
INVITED_IN = (TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.OFFBOARDING)
"""Before them the first administrator has not been invited, and after them nobody is left."""


def moving(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Give the part that renews itself: state, acts, timeline, ledger and activity, in a fixed number of queries."""
    rows = list(selectors.list_operations(tenant_id=tenant.pk)[: OPERATIONS_SHOWN + 1])
    lines = timeline.lines_of(rows[:OPERATIONS_SHOWN])
    first = lines[0] if lines else None
    acting = may_act(request)
    latest = rows[0] if rows else None
    administrator = find_first(tenant.pk)
    return {
        "tenant": tenant,
        "lines": lines,
        "latest": first,
        "has_more": len(rows) > OPERATIONS_SHOWN,
        "is_moving": any(line.is_moving for line in lines),
        "resources": ledger(selectors.list_resources(tenant_id=tenant.pk)),
        "keys": key_page.of_tenant(tenant.pk),
        "limits": limit_page.of_tenant(tenant),
        "may_act": acting,
        "acts": acts.of_tenant(tenant, administrator) if acting else (),
        "administrator": administrator,
        "invitation": invitation_of(administrator) if administrator and tenant.state in INVITED_IN else None,
        "operation_acts": acts.of_operation(latest) if acting and latest else (),
        "events": events.lines_of(list_events(tenant_id=tenant.pk)[:EVENTS_SHOWN]),
        "audit_url": f"{reverse('admin:audit_auditevent_changelist')}?q={tenant.pk}",
        "grace": words.lasted(timedelta(seconds=tenant.tier.offboarding_grace_seconds)),
    }


def whole(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """Give the whole page: the moving part, and where to ask for it again."""
    return {
        **moving(tenant, request),
        "live_url": reverse("admin:tenants_tenant_live", args=[tenant.pk]),
    }


def ledger(rows: Any) -> list[dict[str, Any]]:
    """Give ledger rows in words, what is not as promised first."""
    urgent = {ResourceState.DRIFTED: 0, ResourceState.INTENDED: 1, ResourceState.REMOVING: 1}
    found: list[Resource] = sorted(
        rows.defer("spec"), key=lambda row: (urgent.get(ResourceState(row.state), 2), row.kind, row.name)
    )
    return [
        {
            "what": words.resource_of(row.kind, row.name),
            "state": row.state,
            "observed_at": row.observed_at,
            "differences": row.differences,
            "address": address_of(row.attributes),
        }
        for row in found
    ]


def address_of(attributes: dict[str, Any]) -> str:
    """Give the one attribute by which a person would look for the resource in AWS."""
    for name in ("arn", "client_id", "username", "stack_id", "pool_id", "bucket", "prefix", "name"):
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    for name in sorted(attributes):
        if name.endswith(("arn", "_id", "name")) and isinstance(attributes[name], str) and attributes[name]:
            return str(attributes[name])
    return ""
