"""Quotas after Redis was lost: what tenants have used is put back from what was counted, before anybody may ask again.

Limits do not know who counts: whoever does (:mod:`tenants.usage`) says so by :func:`count_on`. What was counted lags behind what was admitted, by
some seconds, so a tenant may get back what it used in those; never more. Only tenants' quotas come back; bursts, requests in flight and keys' own
quotas begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from redis import Redis

from tenants.limits import scripts
from tenants.limits.calendar import DAY_US, Period
from tenants.limits.quotas import BACKSTEP_US
from tenants.limits.spending import SPENT, place_of

UsedOf = Callable[[Sequence[str], datetime], Mapping[str, tuple[int, int]]]
"""Gives, by tenant id, the cost that was admitted in the UTC day and month of a moment; whoever used nothing may be left out."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_counting: list[UsedOf] = []


def count_on(used_of: UsedOf) -> None:
    """Say who counts. Repeatable."""
    if used_of not in _counting:
        _counting.append(used_of)


def put_back(redis: Redis, tenant_ids: Sequence[str], now: datetime) -> int:
    """Put back what these tenants have used; gives for how many. Repeatable; what Redis knows of more use stays. Raises RedisError."""
    written = 0
    for used_of in _counting:
        used = {tenant_id: both for tenant_id, both in used_of(tenant_ids, now).items() if any(both)}
        if used:
            now_us = int((now - _EPOCH).total_seconds() * 1_000_000)
            day, month = Period.DAY.number(now_us), Period.MONTH.number(now_us)
            ends_ms = (max(Period.MONTH.ends_us(month), (day + 1) * DAY_US) + BACKSTEP_US) // 1_000
            numbers = [number for both in used.values() for number in both]
            script = redis.register_script(scripts.PUT_BACK)
            written += int(script(keys=[SPENT + place_of(one) for one in used], args=[day, month, ends_ms, now_us, *numbers]))
    return written
