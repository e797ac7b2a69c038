"""The parts of one edge process, put together: what it knows, what it hears, what it counts, and the judge that doors ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sized
from contextlib import AbstractContextManager

from controlplane.edge.counting import MOST_COUNTERS, Counting
from controlplane.edge.draws import GIVE_BACK, SPEND
from controlplane.edge.flushing import Flushing
from controlplane.edge.hearing import BOUND_SECONDS, Hearing
from controlplane.edge.judge import Judge
from controlplane.edge.known import MOST_KEYS, Known
from controlplane.edge.lookups import Lookups
from tenants.usage.tally import Tally

OPEN_WITHIN_SECONDS = 5.0
"""How long whoever opens an edge waits for a projection, before it serves without one."""


class Edge:
    """One process's edge, for one event loop: ``judge`` answers, ``hearing`` says whether it knows, ``tally`` counts.

    ``peppers`` are those of the keys, by number. ``capacity`` is what the whole platform gives out in cost a second, ``slots`` how many requests
    it has in flight at most, each 0 to share nothing (a request counts in flight if it is asked with a lease's id);
    ``processes`` is how many edge processes share the limits while Redis is away. ``most_counters`` is of one tenant, in Redis.
    """

    def __init__(
        self,
        url: str,
        peppers: Mapping[int, bytes],
        *,
        capacity: int = 0,
        slots: int = 0,
        processes: int = 1,
        most_keys: int = MOST_KEYS,
        most_counters: int = MOST_COUNTERS,
        bound_seconds: float = BOUND_SECONDS,
        lock: AbstractContextManager[object] | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self.known = Known(most=most_keys, lock=lock, counts_in_flight=slots > 0)
        self.lookups = Lookups(self.known, peppers)
        self.hearing = Hearing(url, self.known, scripts=(SPEND, GIVE_BACK), bound_seconds=bound_seconds)
        self.judge = Judge(self.known, self.lookups, self.hearing, self.tally, capacity=capacity, slots=slots, processes=processes)
        self.counting = Counting(self.known, most=most_counters)
        self.flushing = Flushing(self.known, self.tally)

    def heard_within_bound(self) -> bool:
        """Whether what this process knows may be believed now."""
        return self.hearing.is_heard()

    @property
    def heard_seconds_ago(self) -> float:
        """Seconds since it was last certain; infinite when it never was."""
        return self.hearing.heard_seconds_ago

    def sizes(self) -> Mapping[str, int]:
        """How many entries each local copy holds."""
        known = self.known
        copies: dict[str, Sized] = {"keys": known.keys, "unknown": known.unknown, "tenants": known.tenants, "leases": known.leases}
        return {name: len(copy) for name, copy in copies.items()}

    async def open(self, *, within_seconds: float = 0.0) -> bool:
        """Begin to listen; waits so long for a projection and says whether there is one. Without one everything is refused, not unknown."""
        self.hearing.start()
        self.flushing.start()
        try:
            await asyncio.wait_for(self.hearing.ready(), within_seconds)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Hand in what was counted, and end."""
        await self.flushing.stop()
        await self.hearing.stop()
