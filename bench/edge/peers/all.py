"""The rows of the table, in its order."""

from __future__ import annotations

from bench.edge.peers.frameworks import Ratelimited, Throttled
from bench.edge.peers.nginx import Empty, LimitReq, Lua
from bench.edge.peers.own import Ours
from bench.edge.peers.peer import Peer
from bench.edge.peers.proxies import Envoy, HAProxy

OURS = "**ours**"
DRF = "Django, djangorestframework-api-key, DRF's throttle"
LUA = "nginx + Lua + Redis"
HAPROXY = "HAProxy, map of keys and stick table"
LIMIT_REQ = "nginx, map of keys and limit_req"
PEERS: dict[str, type[Peer]] = {
    OURS: Ours,
    DRF: Throttled,
    "Django, djangorestframework-api-key, django-ratelimit": Ratelimited,
    LUA: Lua,
    "Envoy, API keys and local rate limit": Envoy,
    HAPROXY: HAProxy,
    LIMIT_REQ: LimitReq,
    "nginx that answers 204": Empty,
}
