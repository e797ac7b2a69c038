"""Revoking a key, after its name was typed. The service calls AWS after its transaction, so nothing here opens one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from controlplane.portal import key_acts, key_page
from controlplane.portal.key_act_forms import RevokeForm
from controlplane.portal.sessions import portal_of
from core.errors import DomainError
from tenants.keys import services
from tenants.keys.store import RECOVERY_DAYS

REVOKE = key_acts.Act(
    "revoke",
    "Revoke",
    (
        "From the moment you confirm, every version of this key is refused. That cannot be undone, and nobody can enable it again.",
        f"Its secret is deleted from your Secrets Manager, where AWS keeps it {RECOVERY_DAYS} more days, out of reach.",
        "Whoever needs access afterwards needs another key.",
    ),
    "{} is revoked: it is refused from now on.",
    "danger",
    services.revoke_key,
)


def revoke(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """Show what it means, or end the key for good."""
    portal = portal_of(request)
    row = key_page.find(portal, key_id)
    if request.method != "POST":
        return key_acts.act_form(request, row, REVOKE, RevokeForm(key=row))
    form = RevokeForm(request.POST, key=row)
    if not form.is_valid():
        return key_acts.act_form(request, row, REVOKE, form, status=422)
    try:
        services.revoke_key(
            actor=portal.actor, tenant_id=portal.tenant.pk, key_id=row.pk, reason=form.cleaned_data["reason"], within=None
        )
    except DomainError as error:
        form.refuse(error)
        return key_acts.act_form(request, key_page.find(portal, key_id), REVOKE, form, status=error.status)
    return key_acts.back(request, portal, row, REVOKE.done.format(row.name))
