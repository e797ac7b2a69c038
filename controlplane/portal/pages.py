"""One way to make a page of the portal: the tenant, the person and the navigation are always there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from controlplane.portal.access import may
from controlplane.portal.sessions import Portal

NAVIGATION = (
    ("Keys", "keys"),
    ("Usage and limits", "usage"),
    ("Members", "members"),
    ("Single sign-on", "sso"),
    ("Activity", "activity"),
    ("API", "api"),
)
"""What stands in the navigation, and the name of its first page."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """A line of the navigation."""

    label: str
    url: str
    is_current: bool


def page(request: HttpRequest, template: str, *, section: str = "", status: int = 200, **context: Any) -> TemplateResponse:
    """Answer with ``templates/portal/<template>.html``. ``section`` is the page's place in the navigation: its URL name there.

    The template gets ``tenant``, ``member`` (None while nobody is signed in) and ``navigation``, and whatever else is in ``context``.
    """
    portal: Portal = request.portal  # type: ignore[attr-defined]  # set by gate.PortalGate
    shared = {"tenant": portal.tenant, "member": portal.member, "navigation": navigation(portal, section)}
    return TemplateResponse(request, f"portal/{template}.html", {**shared, **context}, status=status)


def navigation(portal: Portal, section: str) -> list[NavItem]:
    """Give the lines that this person's role may open."""
    if portal.member is None:
        return []
    lines = []
    for label, name in NAVIGATION:
        if may(portal.member.role, name):
            try:
                lines.append(NavItem(label, reverse(f"portal:{name}", args=[portal.tenant.slug]), name == section))
            except NoReverseMatch:
                continue
    return lines
