"""Who may use which route: one table, enforced in one place for every request below ``/portal/``, before any view runs.

A route that is in neither table is refused, and so is a method that its rule does not name. What a role may not use is 403, because the
person may know that it exists; another tenant's address is 404, because they may not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from controlplane.portal import activity_rules, key_rules, member_rules
from controlplane.portal.rules import Rules
from controlplane.portal.sessions import PREFIX, Portal, member_of_session
from core.errors import NotFoundError
from tenants.lifecycle import TenantState
from tenants.members.models import Role
from tenants.models import Tenant
from tenants.selectors import get_tenant

RULES: Rules = {**member_rules.RULES, **key_rules.RULES, **activity_rules.RULES}
OPEN: dict[str, frozenset[str]] = {"sign-in": frozenset({"GET", "POST"})}
"""Routes for people who are not signed in: URL name -> methods."""


def roles_of(name: str, method: str) -> frozenset[Role] | None:
    """Give the roles that may use a route by its URL name; None when there is no rule."""
    return RULES.get(name, {}).get("GET" if method == "HEAD" else method)


def may(role: str, name: str, method: str = "GET") -> bool:
    """Say whether a role may use a route: pages ask it before they show a link or a button."""
    return role in (roles_of(name, method) or frozenset())


class PortalAccess:
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
        if not request.path_info.startswith(PREFIX) or request.resolver_match is None:
            return None
        tenant = _tenant(str(kwargs.get("slug", "")))
        name, method = request.resolver_match.url_name or "", "GET" if request.method == "HEAD" else str(request.method)
        member = member_of_session(request, tenant, is_open=name in OPEN)
        request.portal = Portal(tenant, member)  # type: ignore[attr-defined]  # read by sessions.portal_of
        if name in OPEN:
            return None if method in OPEN[name] else HttpResponseNotAllowed(sorted(OPEN[name]))
        if member is None:
            return _to_sign_in(request, tenant)
        if method not in RULES.get(name, {}):
            return HttpResponseNotAllowed(sorted(RULES.get(name, {})))
        if not may(member.role, name, method):
            raise PermissionDenied("Your role may not do this.")
        return None


def _tenant(slug: str) -> Tenant:
    try:
        tenant = get_tenant(slug)
    except NotFoundError:
        raise Http404 from None
    if tenant.slug != slug or tenant.state == TenantState.REQUESTED:
        raise Http404
    return tenant


def _to_sign_in(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    address = reverse("portal:sign-in", args=[tenant.slug])
    query = f"?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else ""
    return HttpResponseRedirect(address + query)
