"""Quotas after Redis was lost: what tenants and keys have used is put back from what was counted, before anybody may ask again.

Limits do not know who counts: whoever does (:mod:`tenants.usage`) says so by :func:`count_on`. What was counted lags behind what was admitted, by
some seconds, so a tenant may get back what it used in those; never more. Bursts and requests in flight begin anew.
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
"""Gives, by the id of a tenant or key, the cost that was admitted in the UTC day and month of a moment; whoever used nothing may be left out."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_counting: dict[str, UsedOf] = {}
_TENANTS, _KEYS = "tenants", "keys"


def count_on(tenants: UsedOf, keys: UsedOf) -> None:
    """Say who counts what tenants, and what keys have used; whoever says so last is asked."""
    _counting.update({_TENANTS: tenants, _KEYS: keys})


def put_back(redis: Redis, tenant_ids: Sequence[str], now: datetime) -> int:
    """Put back what these tenants have used; gives for how many. Repeatable; what Redis knows of more use stays. Raises RedisError."""
    return _put_back(redis, _TENANTS, tenant_ids, now)


def put_back_keys(redis: Redis, key_ids: Sequence[str], now: datetime) -> int:
    """Do the same for keys, which should have a quota of their own: of others nobody asks."""
    return _put_back(redis, _KEYS, key_ids, now)


def _put_back(redis: Redis, whose: str, ids: Sequence[str], now: datetime) -> int:
    used_of = _counting.get(whose)
    used = {one: both for one, both in used_of(ids, now).items() if any(both)} if used_of is not None else {}
    if not used:
        return 0
    now_us = int((now - _EPOCH).total_seconds() * 1_000_000)
    day, month = Period.DAY.number(now_us), Period.MONTH.number(now_us)
    ends_ms = (max(Period.MONTH.ends_us(month), (day + 1) * DAY_US) + BACKSTEP_US) // 1_000
    numbers = [number for both in used.values() for number in both]
    script = redis.register_script(scripts.PUT_BACK)
    return int(script(keys=[SPENT + place_of(one) for one in used], args=[day, month, ends_ms, now_us, *numbers]))
