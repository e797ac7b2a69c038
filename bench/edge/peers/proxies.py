"""HAProxy and Envoy: proxies with keys and limits of their own, which share nothing with another process."""

from __future__ import annotations

import json
from pathlib import Path

from bench.edge.cast import Caller
from bench.edge.peers.peer import Peer
from tests.services import LOOPBACK

HAPROXY = """
global
  nbthread 1
  maxconn 1000
  log /dev/null local0 emerg
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
frontend edge
  bind {address}
  stick-table type string len 40 size 100k expire 1h store http_req_rate(1s),http_req_cnt
  http-request set-var(txn.tenant) req.hdr(x-api-key),map_str({folder}/keys.map)
  http-request return status 401 unless {{ var(txn.tenant) -m found }}
  http-request track-sc0 var(txn.tenant)
  http-request set-var(txn.limit) var(txn.tenant),map_str_int({folder}/limits.map,0)
  http-request set-var(txn.used) sc_http_req_rate(0)
  http-request set-var(txn.left) var(txn.limit),sub(txn.used)
  http-request return status 429 hdr Retry-After 1 hdr X-RateLimit-Limit %[var(txn.limit)] if {{ var(txn.left) -m int lt 0 }}
  http-request return status 200 hdr X-Tenant %[var(txn.tenant)] hdr X-RateLimit-Limit %[var(txn.limit)] hdr X-RateLimit-Remaining %[var(txn.left)]
"""


class HAProxy(Peer):
    needs = ("haproxy",)
    does = "shares nothing, no quota, keys as they are"

    def prepare(self) -> list[str]:
        everybody = self.cast.everybody
        self.write("keys.map", "".join(f"{caller.text} {caller.tenant_id}\n" for caller in everybody))
        self.write("limits.map", "".join(f"{caller.tenant_id} {caller.limits.rate_per_second}\n" for caller in everybody))
        text = HAPROXY.format(address=f"{LOOPBACK}:{self.port.number}", folder=self.folder)
        return ["/usr/sbin/haproxy", "-q", "-db", "-f", str(self.write("haproxy.cfg", text))]


class Envoy(Peer):
    needs_packages = ("envoy",)
    does = "shares nothing, no quota, keys as they are"

    def prepare(self) -> list[str]:
        path = self.write("envoy.json", json.dumps(configuration(self.port.number, self.cast.everybody)))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        return [str(_envoy()), "-c", str(path), *options]


def _envoy() -> Path:
    """The server itself; the wheel's command of this name is a Python program that starts it."""
    import envoy

    return Path(envoy.__file__).parent / "_bin" / "envoy"


def configuration(port: int, callers: tuple[Caller, ...]) -> dict[str, object]:
    """Each key is a credential and each tenant has a bucket of its own; the route answers by itself."""
    http = "type.googleapis.com/envoy.extensions.filters.http"
    keys = {
        "@type": f"{http}.api_key_auth.v3.ApiKeyAuth",
        "credentials": [{"key": caller.text, "client": caller.tenant_id} for caller in callers],
        "key_sources": [{"header": "x-api-key"}],
        "forwarding": {"header": "x-tenant", "hide_credentials": True},
    }
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    limits = {
        "@type": f"{http}.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "edge",
        "filter_enabled": always,
        "filter_enforced": always,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "token_bucket": {"max_tokens": 4_000_000_000, "tokens_per_fill": 4_000_000_000, "fill_interval": "1s"},
        "always_consume_default_token_bucket": False,
        # Here and not at the route: a route that answers by itself has no limits of its own.
        "rate_limits": [{"actions": [{"request_headers": {"header_name": "x-tenant", "descriptor_key": "tenant"}}]}],
        "descriptors": [_bucket(caller) for caller in callers],
    }
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    host = {"name": "edge", "domains": ["*"], "routes": [route]}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [
            {"name": "keys", "typed_config": keys},
            {"name": "limits", "typed_config": limits},
            {"name": "router", "typed_config": {"@type": f"{http}.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "edge",
        "address": {"socket_address": {"address": LOOPBACK, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener]}}


def _bucket(caller: Caller) -> dict[str, object]:
    limits = caller.limits
    bucket = {"max_tokens": limits.burst, "tokens_per_fill": limits.rate_per_second, "fill_interval": "1s"}
    return {"entries": [{"key": "tenant", "value": caller.tenant_id}], "token_bucket": bucket}
