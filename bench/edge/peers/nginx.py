"""nginx by itself, and nginx with Lua doing in one script of Redis what our edge does."""

from __future__ import annotations

import hashlib
import pwd
from collections.abc import Sequence
from os import geteuid
from pathlib import Path

import redis

from bench.edge.cast import LITTLE, PLENTY
from bench.edge.peers.peer import Peer
from tests.services import LOOPBACK

MODULES = Path("/usr/lib/nginx/modules")
LUA = ("ndk_http_module.so", "ngx_http_lua_module.so")

HEAD = """
{modules}
user {user};
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
"""

PLAIN = """
  map_hash_bucket_size 256;
  map $http_x_api_key $tenant {{ include {folder}/keys.map; }}
  map $tenant $little {{ include {folder}/little.map; }}
  map $tenant $plenty {{ include {folder}/plenty.map; }}
  limit_req_zone $plenty zone=plenty:16m rate={plenty.rate_per_second}r/s;
  limit_req_zone $little zone=little:1m rate={little.rate_per_second}r/s;
  limit_req_status 429;
  server {{
    listen {address};
    location = / {{
      if ($tenant = "") {{ return 401; }}
      limit_req zone=plenty burst={plenty.burst} nodelay;
      limit_req zone=little burst={little.burst} nodelay;
      add_header X-Tenant $tenant;
      add_header X-RateLimit-Limit {plenty.rate_per_second} always;
      empty_gif;  # an answer of the phase after limit_req's; a `return` would come before it
    }}
  }}
}}
"""

EMPTY = """
  server {{
    listen {address};
    location = / {{ return 204; }}
  }}
}}
"""

DECIDE = """
local time = redis.call('TIME')
local key = redis.call('GET', 'lua:k:' .. KEYS[1])
if not key then return {ok = '0'} end
local tenant, state, ends = string.match(key, '^(%S+) (%S+) (%d+)$')
if state ~= 'active' or tonumber(time[1]) >= tonumber(ends) then return {ok = '0'} end
local served, rate, burst, quota = string.match(redis.call('GET', 'lua:t:' .. tenant) or '', '^(%S+) (%d+) (%d+) (%d+)$')
if served ~= 'active' then return {ok = '0'} end
local now = time[1] * 1000000 + time[2]
local interval = math.ceil(1000000 / rate)
local kept = tonumber(redis.call('GET', 'lua:r:' .. tenant) or 0)
local tat = math.max(kept, now) + interval
local ahead = tat - now - burst * interval
if ahead > 0 then return {ok = string.format('2 %s %d 0 %d 0', tenant, burst, math.ceil(ahead / 1000000))} end
local day = 'lua:q:' .. tenant .. ':' .. math.floor(time[1] / 86400)
local used = tonumber(redis.call('GET', day) or 0)
if used >= tonumber(quota) then return {ok = string.format('3 %s %d 0 %d 0', tenant, burst, 86400 - time[1] % 86400)} end
redis.call('SET', 'lua:r:' .. tenant, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1)
redis.call('INCR', day)
if used == 0 then redis.call('EXPIRE', day, 172800) end
return {ok = string.format('1 %s %d %d %d %.0f', tenant, burst, math.floor(-ahead / interval), math.ceil((tat - now) / 1000000), quota - used - 1)}
"""

SCRIPTED = """
  lua_package_path "/usr/share/lua/5.1/?.lua;;";
  init_by_lua_block {{
    ffi = require "ffi"
    ffi.cdef[[
      typedef struct evp_md_st EVP_MD;
      const EVP_MD *EVP_sha256(void);
      int EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned int *size, const EVP_MD *type, void *engine);
    ]]
    crypto = ffi.load("crypto.so.3")
    sha256, out = crypto.EVP_sha256(), ffi.new("unsigned char[32]")
    head = "*4\\r\\n$7\\r\\nEVALSHA\\r\\n$40\\r\\n{sha}\\r\\n$1\\r\\n1\\r\\n$32\\r\\n"
  }}
  server {{
    listen {address};
    location = / {{
      content_by_lua_block {{
        local ngx, key = ngx, ngx.var.http_x_api_key
        if not key then return ngx.exit(401) end
        crypto.EVP_Digest(key, #key, out, nil, sha256, nil)
        local redis = ngx.socket.tcp()
        local ok = redis:connect("unix:{socket}")
        if not ok then return ngx.exit(503) end
        redis:send(head .. ffi.string(out, 32) .. "\\r\\n")
        local line = redis:receive("*l")
        redis:setkeepalive(60000, 100)
        local code, tenant, limit, left, reset, quota = string.match(line or "", "^%+(%d) ?(%S*) ?(%d*) ?(%d*) ?(%d*) ?(%d*)$")
        if code == "0" then return ngx.exit(401) end
        if not code then return ngx.exit(503) end
        local headers = ngx.header
        headers["X-Tenant"], headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"] = tenant, limit, left
        headers["X-RateLimit-Reset"], headers["X-Quota-Remaining"] = reset, quota
        if code ~= "1" then
          headers["Retry-After"] = reset
          return ngx.exit(429)
        end
        return ngx.exit(204)
      }}
    }}
  }}
}}
"""


class Nginx(Peer):
    needs = ("nginx",)

    def configured(self, body: str, modules: Sequence[str] = (), **values: object) -> list[str]:
        loads = "\n".join(f"load_module {MODULES / name};" for name in modules)
        common = {"folder": self.folder, "user": pwd.getpwuid(geteuid()).pw_name, "address": f"{LOOPBACK}:{self.port.number}"}
        path = self.write("nginx.conf", (HEAD + body).format(modules=loads, **common, **values))
        return ["/usr/sbin/nginx", "-c", str(path), "-p", str(self.folder), "-e", str(self.folder / "error.log")]


class Empty(Nginx):
    does = "nothing at all: what the client can ask at most"
    is_limiting = False

    def prepare(self) -> list[str]:
        return self.configured(EMPTY)


class LimitReq(Nginx):
    does = "shares nothing, no quota, keys as they are"

    def prepare(self) -> list[str]:
        self.write("keys.map", "".join(f"{caller.text} {caller.tenant_id};\n" for caller in self.cast.everybody))
        self.write("plenty.map", "".join(f"{caller.tenant_id} {caller.tenant_id};\n" for caller in self.cast.many))
        self.write("little.map", f"{self.cast.loud.tenant_id} {self.cast.loud.tenant_id};\n")
        return self.configured(PLAIN, plenty=PLENTY, little=LITTLE)


class Lua(Nginx):
    does = "the same, in one script of Redis a request"

    @classmethod
    def why_not(cls) -> str:
        return super().why_not() or ("" if (MODULES / LUA[1]).exists() else "not installed: libnginx-mod-http-lua")

    def prepare(self) -> list[str]:
        with redis.Redis(unix_socket_path=str(self.store.socket)) as client:
            sha = client.script_load(DECIDE)
            for caller in self.cast.everybody:
                limits, digest = caller.limits, hashlib.sha256(caller.text.encode()).digest()
                client.set(b"lua:k:" + digest, f"{caller.tenant_id} active 4000000000")
                numbers = f"{limits.rate_per_second} {limits.burst} {limits.quota_per_day}"
                client.set(f"lua:t:{caller.tenant_id}", f"active {numbers}")
        return self.configured(SCRIPTED, LUA, sha=sha, socket=self.store.socket)
