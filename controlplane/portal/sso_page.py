"""The pages on which an owner connects the organisation's identity provider, and sees where it stands."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from controlplane.portal import sessions, signin
from controlplane.portal.pages import page
from controlplane.portal.sso_forms import ConnectForm
from controlplane.portal.sso_words import found, standing_of
from core.errors import DomainError, InvalidInputError
from provisioning.connections import addresses_of, is_possible, readiness_of, start_connect
from provisioning.operations import BusyError
from tenants.members import connections
from tenants.models import Tenant

BUSY = "Your organisation is being worked on at this moment. Try again in a minute; what you typed is still here."


def sso(request: HttpRequest, slug: str) -> HttpResponse:
    """Where the connection stands, what the provider has to be told, and what comes next."""
    tenant = sessions.tenant_of(request)
    row = connections.find(tenant.pk)
    context: dict[str, Any] = {"row": row, "why_not": why_not(tenant), "addresses": addresses_of(tenant)}
    if row is not None:
        context |= {
            "standing": standing_of(row, readiness_of(tenant, row)),
            "tried": found(row.tried_outcome) if row.tried_mark == row.mark else "",
            "is_tried_well": bool(row.good_mark) and row.good_mark == row.mark,
        }
    return page(request, "sso", section="sso", **context)


@sensitive_post_parameters("client_secret")
@sensitive_variables("form")
def connect(request: HttpRequest, slug: str) -> HttpResponse:
    """Connect a provider, or change how it is connected."""
    me = sessions.portal_of(request)
    if why_not(me.tenant):
        return signin.to(request, "sso")
    row = connections.find(me.tenant.pk)
    form, status = ConnectForm(request.POST or None, row=row), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                start_connect(actor=me.actor, tenant_id=me.tenant.pk, mark=form.cleaned_data["mark"], typed=form.typed())
            except DomainError as error:
                status = _refused(form, error)
            else:
                messages.success(request, "Saved. Your user pool is being told of it; then it can be tried.")
                return signin.to(request, "sso")
    return page(request, "sso_connect", section="sso", status=status, form=form, row=row, addresses=addresses_of(me.tenant))


def why_not(tenant: Tenant) -> str:
    """Say why a tenant cannot have a provider of its own; empty when it can."""
    if not tenant.tier.sso_allowed:
        return f"Signing in through your own identity provider is not part of {tenant.tier.name}. Ask the operators about another tier."
    return "" if is_possible(tenant) else "Signing in through your own identity provider is not possible in this part of AWS."


def conflict(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Say why an act was refused: somebody was first, or it may not be. Nothing was changed."""
    back_url = reverse("portal:sso", args=[sessions.tenant_of(request).slug])
    detail = BUSY if isinstance(error, BusyError) else error.detail
    return page(
        request,
        "members_refused",
        section="sso",
        status=error.status,
        error={"title": error.title, "detail": detail},
        back_url=back_url,
    )


def _refused(form: ConnectForm, error: DomainError) -> int:
    """Put a refusal into the form; what was typed stays. Gives the status of the answer."""
    if isinstance(error, InvalidInputError):
        form.refuse(error)
        return 422
    form.add_error(None, BUSY if isinstance(error, BusyError) else error.detail)
    return error.status
