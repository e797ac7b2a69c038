"""The first page: the first line of the navigation."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from controlplane.portal.pages import navigation, page


def home(request: HttpRequest, slug: str) -> HttpResponse:
    """Lead to the first page that the person may open."""
    lines = navigation(request.portal, "")  # type: ignore[attr-defined]  # set by gate.PortalGate
    return HttpResponseRedirect(lines[0].url) if lines else page(request, "base")
