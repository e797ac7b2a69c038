"""The limit of those who call: what they are told when it is reached, and the hooks' part of it, by source."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from controlplane import doors
from controlplane.api import problems
from controlplane.api.addresses import client_address
from controlplane.api.errors import QuotaExceededError
from tenants.limits.decision import Decision
from tenants.limits.headers import retry_after_seconds
from tenants.words import count

SITE_BITS = 64
"""Of an IPv6 address: what one customer of a provider has for themselves (RFC 6177), and can change at will within."""


def refusal(decision: Decision) -> QuotaExceededError:
    """Say to whoever was refused how long to wait."""
    seconds = retry_after_seconds(decision) or 1
    error = QuotaExceededError(f"The limit “{decision.refused_by}” is reached. Ask again in {count(seconds, 'second')}.")
    error.retry_after_seconds = seconds
    return error


def by_source(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Hold a hook to its sources' limit, before it reads anything.

    One bucket a source for all hooks: who has no good signature cannot tell by it which of them exist.
    """

    @functools.wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        decision = doors.ask(doors.HOOKS, source_of(client_address(request)))
        admitted = decision.is_admitted
        response = view(request, *args, **kwargs) if admitted else problems.respond(refusal(decision), request)
        doors.mark(response, decision)
        return response

    return limited


def source_of(address: str) -> str:
    """Give what of an address (in its one spelling, empty for a socket) stands for somebody: of IPv6 the site."""
    if ":" not in address:
        return address or "socket"
    return str(ipaddress.ip_network((address, SITE_BITS), strict=False))
