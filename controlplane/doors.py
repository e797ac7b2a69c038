"""Our own doors behind the product's limiter: how often somebody may ask the API, act in the portal, or call a hook.

The same arithmetic and the same script as for AWS's budgets (:mod:`core.gcra`), in Redis for all web processes together; the numbers are
``settings.DOOR_LIMITS``. Tokens, tenants, members and sources have a bucket each, so nobody's flood is another's refusal. How a limit
stands is told in the headers of every answer (:mod:`tenants.limits.headers`).

While Redis is away the doors stay open: whoever has to mend things comes through them. Each process then holds every caller to the same
numbers with buckets of its own, so that the bound is the limit times the number of processes, and not nothing. A Redis that was emptied
gives every burst once more. Failed sign-ins are counted elsewhere (``throttle`` of console and portal): there nobody is let through
uncounted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from functools import lru_cache

from django.conf import settings
from django.http.response import HttpResponseBase

from core import gcra
from core.limiter import Limiter, connect
from tenants.keys.codes import Code
from tenants.limits.decision import Decision
from tenants.limits.headers import headers_of
from tenants.limits.rates import Rate, RateState

logger = logging.getLogger(__name__)

API, TENANT, MEMBER, HOOKS = "api", "portal-tenant", "portal-member", "hooks"
"""The limits: of an operator's token (or of all keys of one tenant), of a tenant's people together, of one of them, of a source of hooks."""
PREFIX = "controlplane:door"
MOST_BUCKETS = 10_000
"""How many callers one process remembers while Redis is away; whoever has been quiet for longest is forgotten first."""
AWAY = "the doors count for each process alone: Redis does not answer (%s)"
BACK = "the doors count for all processes together again: Redis answers"


class Buckets:
    """Limits of this process alone. Safe among threads."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._tats: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tats)

    def ask(self, key: str, limit: gcra.Limit, now_us: int) -> gcra.Decision:
        """Decide one call."""
        with self._lock:
            decision, stored = gcra.decide(self._tats.get(key), now_us, limit)
            self._tats[key] = stored
            self._tats.move_to_end(key)
            if len(self._tats) > self._most:
                self._tats.popitem(last=False)
        return decision


@lru_cache(maxsize=4)
def limiter(url: str) -> Limiter:
    """This process's limiter on the Redis of that address."""
    return Limiter(connect(url), logger=logger, away=AWAY, back=BACK)


_own = Buckets()


def ask(name: str, who: str) -> Decision:
    """Charge one request of ``who`` to the limit of that name, and say whether it may go on. Never raises for a Redis that is away."""
    rate = Rate.per_second(name, *settings.DOOR_LIMITS[name])
    key = f"{PREFIX}:{name}:{who}"
    told = limiter(settings.REDIS_URL).ask(key, gcra.script_arguments(rate.limit))
    if told is None:
        told = _own.ask(key, rate.limit, time.time_ns() // 1_000)
    return _decision(rate, told)


def mark(response: HttpResponseBase, decision: Decision) -> None:
    """Tell on an answer, admitted or refused, how the limit stands."""
    for header, value in headers_of(decision):
        response.headers[header] = value


def _decision(rate: Rate, told: gcra.Decision) -> Decision:
    state = RateState(told.now_us + told.reset_after_us, told.now_us, rate.limit.interval_us)
    standings = (rate.standing(state, told.now_us),)
    if told.allowed:
        return Decision(Code.VALID, 1, "", 0, standings, told.now_us)
    return Decision(rate.code, 1, rate.name, told.retry_after_us, standings, told.now_us)
