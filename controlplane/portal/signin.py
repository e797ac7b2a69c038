"""Signing in and out."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from controlplane.portal import sessions
from controlplane.portal.pages import page


def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for address and password."""
    return page(request, "signin")


def sign_out(request: HttpRequest, slug: str) -> HttpResponse:
    """End this session."""
    sessions.end(request)
    return HttpResponseRedirect(reverse("portal:sign-in", args=[slug]))
