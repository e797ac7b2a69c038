"""Where pages such as *not found* lead: a tenant's people back into their portal, and never to the operators' console."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse

from controlplane.portal.sessions import KEY, PREFIX
from tenants.lifecycle import TenantState
from tenants.models import Tenant

register = template.Library()


@register.simple_tag(takes_context=True)
def is_at_portal(context: dict[str, Any]) -> bool:
    """Say whether the page answers a request for the portal."""
    request = context.get("request")
    return isinstance(request, HttpRequest) and request.path_info.startswith(PREFIX)


@register.simple_tag(takes_context=True)
def portal_home(context: dict[str, Any]) -> str:
    """Give the first page of the portal in which somebody is signed in, else of the one in the address; nothing where there is none."""
    request = context["request"]
    slug = _of_session(request) or _of_address(request)
    return reverse("portal:home", args=[slug]) if slug else ""


def _of_session(request: HttpRequest) -> str:
    # Another tenant's address is not found for whoever is signed in, so its first page would be a dead end.
    kept = request.session.get(KEY) if hasattr(request, "session") else None
    if not isinstance(kept, dict):
        return ""
    return Tenant.objects.filter(pk=kept.get("tenant")).values_list("slug", flat=True).first() or ""


def _of_address(request: HttpRequest) -> str:
    slug = request.path_info.removeprefix(PREFIX).partition("/")[0]
    known = "\x00" not in slug and Tenant.objects.filter(slug=slug).exclude(state=TenantState.REQUESTED).exists()
    return slug if known else ""
