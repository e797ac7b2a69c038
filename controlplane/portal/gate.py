"""The one place where a request for the portal is let through: the tenant, its state, the person, the rule and how often, before any view runs.

What a role may not use is 403, because the person may know that it exists; another tenant's address is 404, because they may not. While a
tenant is not active nobody works in its portal: every page says what is happening instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from controlplane.portal import acting
from controlplane.portal.access import OPEN, RULES, may
from controlplane.portal.pages import page
from controlplane.portal.sessions import PREFIX, Portal, member_of_session
from core.errors import NotFoundError
from tenants.lifecycle import SERVED, TenantState
from tenants.models import Tenant
from tenants.selectors import get_tenant

STATUS_OF_STATE = {
    TenantState.PROVISIONING: 503,
    TenantState.SUSPENDED: 403,
    TenantState.OFFBOARDING: 403,
    TenantState.CLOSED: 410,
}


class PortalGate:
    """Middleware that lets a request through to its view, or answers it, and sets ``request.portal``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing before the view is known."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Find the tenant, the person and the rule; None lets the view run."""
        match = request.resolver_match
        if not request.path_info.startswith(PREFIX) or match is None:
            return None
        _refuse_nul(request)
        tenant = _tenant(str(kwargs.get("slug", "")))
        name, method = match.url_name or "", "GET" if request.method == "HEAD" else str(request.method)
        if tenant.state not in SERVED:
            request.portal = Portal(tenant, None)  # type: ignore[attr-defined]  # read by sessions.portal_of
            return page(request, "status", status=STATUS_OF_STATE[TenantState(tenant.state)])
        member = member_of_session(request, tenant, is_open=name in OPEN)
        request.portal = Portal(tenant, member)  # type: ignore[attr-defined]  # read by sessions.portal_of
        allowed = OPEN.get(name, RULES.get(name, {}))
        if member is None and name not in OPEN:
            return _to_sign_in(request, tenant)
        if method not in allowed:
            return HttpResponseNotAllowed(sorted(allowed))
        if name not in OPEN and (member is None or not may(member.role, name, method)):
            return page(request, "status_forbidden", status=403)
        return None if member is None else acting.refuse(request, member, name)


def _tenant(slug: str) -> Tenant:
    try:
        tenant = get_tenant(slug)
    except NotFoundError:
        raise Http404 from None
    if tenant.slug != slug or tenant.state == TenantState.REQUESTED:
        raise Http404  # an id in the place of a short name, or another spelling of it
    return tenant


def _to_sign_in(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    address = reverse("portal:sign-in", args=[tenant.slug])
    query = f"?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else ""
    return HttpResponseRedirect(address + query)


def _refuse_nul(request: HttpRequest) -> None:
    """Refuse what PostgreSQL would choke on, once for all forms and filters."""
    if "\x00" in request.path_info:
        raise Http404
    if any("\x00" in str(value) for sent in (request.GET, request.POST) for _, values in sent.lists() for value in values):
        raise BadRequest("There is a NUL in the request.")
