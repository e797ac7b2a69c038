"""Keeps all workers together within AWS's call budgets, an account and region at a time.

One limit in Redis for each (account, region, service, group of operations), for some also for each user pool, decided by
:mod:`core.gcra` on Redis's own clock. A call whose slot is near reserves it and waits; one whose slot is far raises CallBudgetError, so
that the worker can do something else meanwhile.

When Redis does not answer, calls go out unpaced (AWS's own throttling is the second line) and one line is logged an outage; Redis
is asked again after a few seconds. A Redis that was emptied hands each budget's burst, a second's worth, out once more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from core import gcra
from core.aws.budgets import BUDGETS, Budget
from core.aws.errors import CallBudgetError
from core.limiter import Limiter, connect

logger = logging.getLogger(__name__)

SHARE = 0.8
"""How much of AWS's budgets the product takes: the rest is for people and other programs in the account."""
MAX_WAIT_SECONDS = 1.0
AWAY = "AWS calls are not paced: Redis does not answer (%s)"
BACK = "AWS calls are paced again: Redis answers"


@dataclass(frozen=True, slots=True)
class _Limit:
    budget: Budget
    arguments: tuple[int, int, int, int]


class Pacer:
    """Paces calls across all workers that share a Redis. Safe across threads and forks."""

    def __init__(
        self,
        redis: Redis,
        *,
        budgets: Iterable[Budget] = BUDGETS,
        share: float = SHARE,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        prefix: str = "controlplane:pace",
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limiter = Limiter(redis, logger=logger, away=AWAY, back=BACK, monotonic=monotonic)
        self._patience_us = int(max_wait_seconds * gcra.MICROSECONDS)
        self._limits: dict[tuple[str, str], list[_Limit]] = {}
        for budget in sorted(budgets, key=lambda budget: not budget.each):  # the narrow one first: it is the likelier to refuse
            arguments = gcra.script_arguments(budget.limit(share), patience_us=self._patience_us)
            for operation in budget.operations:
                self._limits.setdefault((budget.service, operation), []).append(_Limit(budget, arguments))
        self._prefix = prefix
        self._sleep = sleep

    @classmethod
    def from_url(cls, url: str, **options: float) -> Pacer:
        """Give a pacer on the Redis at ``url`` (``redis://`` or ``unix://``), with short time-outs and no retries of its own."""
        return cls(connect(url), **options)  # type: ignore[arg-type]  # share and max_wait_seconds

    def wait(self, account_id: str, region: str, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Return when the call may be sent, at once for operations without a budget.

        Waits up to ``max_wait_seconds`` a budget in the slot it has reserved; raises CallBudgetError when it would be longer. An operation
        under two budgets may then have taken a slot of the first for nothing: the error is on the side of fewer calls.
        """
        for limit in self._limits.get((service, operation), ()):
            group = limit.budget.key(parameters)
            decision = self._limiter.ask(f"{self._prefix}:{account_id}:{region}:{group}", limit.arguments)
            if decision is None:
                return
            if not decision.allowed:
                seconds = (decision.retry_after_us or 0) / gcra.MICROSECONDS
                raise CallBudgetError(
                    f"The call budget for {group} in {region} is used up for {seconds:.1f} s.",
                    retry_after_seconds=seconds,
                    service=service,
                    operation=operation,
                )
            if decision.wait_us:
                self._sleep(decision.wait_us / gcra.MICROSECONDS)
