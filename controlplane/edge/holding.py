"""Holding back: a tenant that goes on asking after refusals must not take the processor from quiet neighbours.

A refused answer costs as much as an admitted one, so a flood of refusals is still a flood. Each process counts a tenant's refusals by the
second. Up to ``bound`` of them are answered at once; above, each answer waits, and its connection is not read meanwhile. The bound: a tenant
with ``c`` connections to a process gets at most ``bound + 10 * c`` refused answers a second once its waits are at their longest (five times the
bound), and ``bound + 50 * c`` at the least. The delay is the refused tenant's own; nobody else's answers wait for it. Pure but for the ticks.
"""

from __future__ import annotations

from controlplane.edge.ticks import Ticks

LEAST_SECONDS, MOST_SECONDS = 0.02, 0.1


class Holding:
    """Refusals by tenant in this second. ``held`` counts the answers that were held back, for metrics."""

    __slots__ = ("_bound", "_counts", "_second", "_ticks", "held")

    def __init__(self, bound: int, ticks: Ticks) -> None:
        self._bound, self._ticks = bound, ticks
        self._counts: dict[str, int] = {}
        self._second = 0
        self.held = 0

    def delay(self, tenant_id: str) -> float:
        """Count one refusal and give how many seconds its answer waits: 0, or 0.02 to 0.1."""
        if self._second != self._ticks.seconds:
            self._second = self._ticks.seconds
            self._counts.clear()
        number = self._counts[tenant_id] = self._counts.get(tenant_id, 0) + 1
        if number <= self._bound:
            return 0.0
        self.held += 1
        return min(MOST_SECONDS, LEAST_SECONDS * ((number - 1) // self._bound))
