"""Holding back: a tenant that goes on asking after refusals must not take the processor from quiet neighbours.

A refused answer costs as much as an admitted one, so a flood of refusals is still a flood. Each process paces the refused answers of a tenant:
``bound`` a second, one after the other, of which a few may come at once (a rate like those of :mod:`tenants.limits.rates`). An answer that comes
too early waits for its turn, and its connection is not read meanwhile. One after the other matters as much as how many: fifty that were held
back for the same time would all be answered in the same moment, and whoever is quiet would wait behind them.

No answer waits for longer than ``MOST_SECONDS``; where more are waiting than have a turn until then, each waits for that or a little less, so that
a tenant with ``c`` connections to a process has at most ``bound + 8 * c`` refused answers a second. Nobody else's answers wait for it. Pure but
for the clock and the dice.
"""

from __future__ import annotations

import random

from controlplane.edge.ticks import Ticks

MOST_SECONDS = 0.25
AT_ONCE_PART, LEAST_AT_ONCE = 10, 5
"""One in so many of a second's refusals may come at once, and so many always."""


class Holding:
    """When the next refused answer has its turn, of each tenant, and of each address that asks for keys that nobody has.

    ``held`` counts the answers that were held back, for metrics.
    """

    __slots__ = ("_ahead", "_gap", "_second", "_ticks", "_turns", "held")

    def __init__(self, bound: int, ticks: Ticks) -> None:
        self._ticks = ticks
        self._gap = 1 / bound
        self._ahead = (min(bound, max(LEAST_AT_ONCE, bound // AT_ONCE_PART)) - 1) * self._gap
        self._turns: dict[str, float] = {}
        self._second = 0
        self.held = 0

    def delay(self, who: str) -> float:
        """Count one refusal and give how many seconds its answer waits: 0 to ``MOST_SECONDS``."""
        now = self._ticks.read()
        if self._second != self._ticks.seconds:
            self._second = self._ticks.seconds
            self._turns = {name: turn for name, turn in self._turns.items() if turn > now}
        turn = max(now, self._turns.get(who, now))
        delay = turn - now - self._ahead
        if delay > MOST_SECONDS:  # its turn comes too late; spread out, so that they do not come all at once
            self.held += 1
            return random.uniform(MOST_SECONDS / 2, MOST_SECONDS)  # noqa: S311  # nobody gains by guessing it
        self._turns[who] = turn + self._gap
        if delay < 1e-6:  # not worth a timer
            return 0.0
        self.held += 1
        return delay
