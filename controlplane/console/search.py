"""What Ctrl-K finds: tenants by name, short name, id or e-mail, operations by id, keys by id or visible start. About twenty at most."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from controlplane.console import key_filters, words
from provisioning.models import Operation
from tenants.keys import selectors as keys
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
    # unfold gives the term in lower case, and visible starts are not.
    typed = request.GET.get("s", term).strip().replace("\x00", "")[:MAX_TERM]
    return operations + _keys(typed) + tenants


def _keys(wanted: str) -> list[SearchResult]:
    """By key id, or by the visible start; a whole key that was pasted is found by its start as well, and shown by nothing more."""
    public_id = key_filters.public_id_in(wanted)
    return [
        SearchResult(
            title=key.name,
            description=f"key of {key.tenant.name}, {keys.state_of(key)}",
            link=reverse("admin:keys_apikey_change", args=[key.pk]),
            icon="key",
        )
        for key in keys.list_keys().filter(Q(pk=wanted) | Q(public_id=public_id))
    ]
