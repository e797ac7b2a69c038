"""Limits that a tenant keeps here for whom it likes, by namespace and identifier. One script of :mod:`core.gcra` each, nothing in this process.

Counters live under the tenant that asks, so two tenants' namespaces never meet; another limit or window is another counter. Names are digests, so no
identifier stands in Redis. It is the product's own arithmetic: a burst of the whole limit, and from then on what the window brings in, evenly. In
any window, wherever it begins, at most twice the limit is admitted, as a fixed window would; most of the time it is the limit.

A counter is forgotten when its whole limit is back, one window after the last count at most. Until then it takes memory of a Redis that evicts
nothing, so a tenant may have only so many at once: a register by tenant holds when each of them ends, and the script that counts keeps it.
"""

from __future__ import annotations

import hashlib

from redis.exceptions import RedisError

from controlplane.edge.asking import CrowdedError
from controlplane.edge.known import Known
from controlplane.edge.line import AwayError, Script
from core import gcra
from tenants.keys.codes import Code
from tenants.limits.bills import place_of
from tenants.limits.decision import Decision
from tenants.limits.judgement import Standing

PREFIX, REGISTER = b"edge:named:", b"edge:register:"
MOST_COUNTERS = 10_000
"""Of one tenant. With the register a counter takes about 250 bytes of Redis."""
CLEARED = 128
"""How many ended counters one new one clears from the register at most: more than come, and never a long script."""
COUNT = Script.of(f"""
-- KEYS[2] the tenant's register: a sorted set of its counters by their ends, in milliseconds. ARGV: the limiter's four, 5 how many counters.
-- Returns what the limiter does, or, where there is no room for another counter, {{milliseconds until the next of them ends}}.
local function count()
{gcra.LUA}
end
local is_new = tonumber(ARGV[3]) > 0 and redis.call('EXISTS', KEYS[1]) == 0
if is_new then
  local time = redis.call('TIME')
  local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now_ms, 'LIMIT', 0, {CLEARED})
  if #ended > 0 then redis.call('ZREM', KEYS[2], unpack(ended)) end
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
    local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    return {{math.max(1, tonumber(first[2]) - now_ms)}}
  end
end
local told = count()
if told[1] == 1 and tonumber(ARGV[3]) > 0 then
  local ends_ms = math.ceil((told[4] + told[6]) / 1000) + 1
  redis.call('ZADD', KEYS[2], string.format('%.0f', ends_ms), KEYS[1])
  if redis.call('PTTL', KEYS[2]) <= math.ceil(told[4] / 1000) then redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', ends_ms)) end
end
return told
""")
NAME = "ratelimit"
"""What the limit is called in headers."""


class Counting:
    """The counters of one process's line to Redis, which are everybody's; ``most`` of one tenant at once, by what this process was told."""

    def __init__(self, known: Known, *, most: int = MOST_COUNTERS) -> None:
        self._known, self._most = known, most

    async def limit(
        self, tenant_id: str, namespace: str, identifier: str, limit: int, duration_ms: int, cost: int
    ) -> Decision | None:
        """Count ``cost`` against ``limit`` in ``duration_ms``; None when Redis is away.

        Raises ValueError on a limit that cannot be kept, and CrowdedError where the tenant has as many counters as it may and this is none of them.
        """
        line = self._known.line
        rule = gcra.Limit(limit, duration_ms * 1_000)
        if line is None:
            return None
        try:
            reply = await line.run(
                COUNT,
                [_name_of(tenant_id, namespace, identifier, str(limit), str(duration_ms)), REGISTER + place_of(tenant_id)],
                [*gcra.script_arguments(rule, cost=cost), self._most],
            )
        except (AwayError, RedisError):
            return None
        if len(reply) == 1:
            raise CrowdedError(int(reply[0]) * 1_000)
        told = gcra.read_reply(reply)
        retry = None if told.retry_after_us == -1 else told.retry_after_us or 0
        standing = Standing(NAME, limit, duration_ms * 1_000, told.remaining, told.reset_after_us)
        code, refused_by = (Code.VALID, "") if told.allowed else (Code.RATE_LIMITED, NAME)
        return Decision(code, cost, refused_by, retry, (standing,), told.now_us)


def _name_of(*parts: str) -> bytes:
    """Lengths before texts, so that no two lists of parts give the same name."""
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(text), text))
    return PREFIX + digest.digest()[:16]
