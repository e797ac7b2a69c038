"""What Ctrl-K finds: tenants by name, short name, id or e-mail, and operations by id. At most twenty, whatever is typed."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from controlplane.console import words
from provisioning.models import Operation
from tenants.selectors import list_tenants

MOST = 20
MAX_TERM = 200


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """Give the results for a term; called by unfold for sessions that may see the console."""
    wanted = term.strip().replace("\x00", "")[:MAX_TERM]
    if not wanted:
        return []
    tenants = [
        SearchResult(
            title=tenant.name,
            description=f"{tenant.slug}, {tenant.state}, {tenant.tier.name}",
            link=reverse("admin:tenants_tenant_change", args=[tenant.pk]),
            icon="apartment",
        )
        for tenant in list_tenants(search=wanted)[:MOST]
    ]
    operations = [
        SearchResult(
            title=f"{words.operation_of(operation.kind)}: {operation.tenant or operation.cell}",
            description=operation.state,
            link=reverse("admin:provisioning_operation_change", args=[operation.pk]),
            icon="conversion_path",
        )
        for operation in Operation.objects.select_related("tenant", "cell").filter(pk=wanted)
    ]
    return operations + tenants
