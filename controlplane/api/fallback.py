"""Answers to what fails before or after the views, in Django's own machinery: a problem at the machines' doors, a page elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from controlplane.api import problems
from controlplane.api.errors import InternalError, MalformedRequestError

PREFIXES = ("/api/", "/hooks/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler400``: a host that is not served, too many fields, a path that cannot be meant."""
    if request.path_info.startswith(PREFIXES):
        return problems.respond(MalformedRequestError("The address or its headers cannot be served."), request)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``. The error itself has been logged."""
    if request.path_info.startswith(PREFIXES):
        return problems.respond(InternalError(), request)
    return defaults.server_error(request)
