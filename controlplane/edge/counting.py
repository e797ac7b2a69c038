"""Limits that a tenant keeps here for whom it likes, by namespace and identifier. One script of :mod:`core.gcra` each, nothing in this process.

Counters live under the tenant that asks, so two tenants' namespaces never meet; another limit or window is another counter. Names are digests, so no
identifier stands in Redis. It is the product's own arithmetic: a burst of the whole limit, and from then on what the window brings in, evenly. In
any window, wherever it begins, at most twice the limit is admitted, as a fixed window would; most of the time it is the limit.
"""

from __future__ import annotations

import hashlib

from redis.exceptions import RedisError

from controlplane.edge.known import Known
from controlplane.edge.line import AwayError, Script
from core import gcra
from tenants.keys.codes import Code
from tenants.limits.decision import Decision
from tenants.limits.judgement import Standing

COUNT = Script.of(gcra.LUA)
PREFIX = b"edge:named:"
NAME = "ratelimit"
"""What the limit is called in headers."""


class Counting:
    """The counters of one process's line to Redis, which are everybody's."""

    def __init__(self, known: Known) -> None:
        self._known = known

    async def limit(
        self, tenant_id: str, namespace: str, identifier: str, limit: int, duration_ms: int, cost: int
    ) -> Decision | None:
        """Count ``cost`` against ``limit`` in ``duration_ms``; None when Redis is away. Raises ValueError on a limit that cannot be kept."""
        line = self._known.line
        rule = gcra.Limit(limit, duration_ms * 1_000)
        if line is None:
            return None
        try:
            reply = await line.run(
                COUNT,
                [_name_of(tenant_id, namespace, identifier, str(limit), str(duration_ms))],
                gcra.script_arguments(rule, cost=cost),
            )
        except (AwayError, RedisError):
            return None
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
