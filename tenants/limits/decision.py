"""The decision about one request: every limit that holds for it is asked, and either all are charged or none. Pure.

What was spent comes in and goes out as a mapping from the limits' names, so whoever stores it does so in one step. Time is the storing
side's clock, in microseconds since 1970: callers' clocks count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tenants.keys.codes import Code
from tenants.limits.concurrency import Concurrency, Leases
from tenants.limits.judgement import Judgement, Standing
from tenants.limits.quotas import Quota, QuotaState
from tenants.limits.rates import Rate, RateState

Limit = Rate | Quota | Concurrency
States = Mapping[str, RateState | QuotaState | Leases]


class Decision(NamedTuple):
    """``VALID``, ``RATE_LIMITED`` or ``USAGE_EXCEEDED``, with the name of the limit that refused (empty when none did).

    Where several refuse, it is the one that will go on longest, so that waiting as told is enough for all. ``retry_after_us`` is above zero
    for a refusal, and None when waiting will never help: the cost is more than the whole limit. ``standings`` are in the limits' order.
    """

    code: Code
    cost: int
    refused_by: str
    retry_after_us: int | None
    standings: tuple[Standing, ...]
    now_us: int

    @property
    def is_admitted(self) -> bool:
        """Whether the request may go on."""
        return self.code is Code.VALID

    @property
    def tightest(self) -> Standing | None:
        """The limit to tell a caller who can take in only one: that which refused, or that of which least is left."""
        if self.refused_by:
            return next(standing for standing in self.standings if standing.name == self.refused_by)
        return min(self.standings, key=lambda standing: (standing.remaining, -standing.reset_after_us), default=None)


def decide(
    limits: Sequence[Limit], states: States, now_us: int, *, cost: int = 1, lease_id: str = ""
) -> tuple[Decision, dict[str, RateState | QuotaState | Leases]]:
    """Decide one request and give, with the decision, the states to store in the place of ``states``.

    A refused request spends nothing of any limit; what is given back to store is then only put right for the present time. States of
    limits that are not asked about are handed through. Cost 0 looks and spends nothing. The time needed grows with the number of limits
    and of leases. Raises ValueError on a negative cost, on two limits of one name, on a request in flight without a lease's id.
    """
    if cost < 0:
        raise ValueError(f"a cost is not negative: {cost}")
    if len({limit.name for limit in limits}) != len(limits):
        raise ValueError("two limits have the same name")
    judged: list[tuple[Limit, Judgement[Any]]] = [
        (limit, _judge(limit, states.get(limit.name), now_us, cost, lease_id)) for limit in limits
    ]
    refusals = [(limit, judgement) for limit, judgement in judged if not judgement.allowed]
    after = {limit.name: judgement.kept if refusals else judgement.spent for limit, judgement in judged}
    standings = tuple(_standing(limit, after[limit.name], now_us) for limit in limits)
    if not refusals:
        return Decision(Code.VALID, cost, "", 0, standings, now_us), {**states, **after}
    limit, judgement = max(refusals, key=_lasting)
    return Decision(limit.code, cost, limit.name, judgement.retry_after_us, standings, now_us), {**states, **after}


def _lasting(refusal: tuple[Limit, Judgement[Any]]) -> tuple[bool, int]:
    """Sorts refusals by how long they will last, those that never end last."""
    retry = refusal[1].retry_after_us
    return (retry is None, retry or 0)


def _judge(limit: Limit, state: Any, now_us: int, cost: int, lease_id: str) -> Judgement[Any]:
    return limit.judge(state, now_us, cost=cost, lease_id=lease_id)


def _standing(limit: Limit, state: Any, now_us: int) -> Standing:
    return limit.standing(state, now_us)
