"""Where a request comes from."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from tenants.keys.cidrs import unmapped


def normal_address(text: str) -> str:
    """Give an IPv4 or IPv6 address in its one spelling, without a zone; empty for whatever is none."""
    try:
        return str(unmapped(ipaddress.ip_address(text.partition("%")[0])))
    except ValueError:
        return ""


def client_address(request: HttpRequest) -> str:
    """Give the address of the connection, behind proxies of ours the caller's (``controlplane.proxies``); empty where there is none (a socket)."""
    return normal_address(str(request.META.get("REMOTE_ADDR", "")))
