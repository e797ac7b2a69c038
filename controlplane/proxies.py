"""Whose address a request has, behind proxies of ours: the one that our outermost proxy saw, and never one that a caller has written.

Each proxy adds to the end of ``X-Forwarded-For`` the address that connected to it (AWS's load balancers do, in their mode *append*). With
``PROXY_HOPS`` proxies of ours the caller's address is therefore that many from the right; whatever stands left of it came with the request and
is worth nothing. A request with fewer entries did not pass all of them and keeps the address of its connection. Without proxies the header is
not read. Everything behind this middleware asks ``REMOTE_ADDR`` and need not know.

The price of a number that is too high is that callers choose their own address; of one that is too low, that they all share a proxy's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "HTTP_X_FORWARDED_FOR"
MOST_HOPS = 8


class CallerAddress:
    """Middleware that puts the caller's address where the proxy's would stand."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set ``REMOTE_ADDR`` before anybody asks for it."""
        if settings.PROXY_HOPS:
            found = caller_in(str(request.META.get(HEADER, "")), settings.PROXY_HOPS)
            if found:
                request.META["REMOTE_ADDR"] = found
        return self.get_response(request)


def caller_in(header: str, hops: int) -> str:
    """Give the address that the outermost of ``hops`` proxies added to ``X-Forwarded-For``; empty where it is not there or is none.

    A port behind it (``192.0.2.7:443``, ``[2001:db8::7]:443``), which some load balancers add, is dropped.
    """
    entries = header.rsplit(",", hops)
    return _address(entries[-hops].strip()) if len(entries) >= hops else ""


def _address(text: str) -> str:
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""
