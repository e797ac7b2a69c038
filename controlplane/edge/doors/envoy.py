"""``/v1/envoy`` and every path below for Envoy's ``ext_authz`` over HTTP, any method: 200 admits, and its headers go upstream; else the refusal.

Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter: the original method and path come behind the
prefix, and the answer's status and allowed headers go to the caller where it is not 200.
"""

from __future__ import annotations

from controlplane.edge.doors.proxied import ProxiedDoor


class EnvoyDoor(ProxiedDoor):
    """See the module."""

    name = "envoy"
    admitted = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n"
