"""What a process of the edge opens before it serves: its judge, and what belongs to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controlplane.edge.asking import Counting, Judging, Listening
from controlplane.edge.configuration import Configuration
from controlplane.edge.edge import OPEN_WITHIN_SECONDS, Edge


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Parts:
    """The judge, the counters of ``ratelimit.limit``, whether changes are heard, and what to await at the end."""

    judge: Judging
    counting: Counting
    listening: Listening
    close: Callable[[], Awaitable[None]] = _nothing


Opening = Callable[[Configuration], Awaitable[Parts]]


async def open_parts(configuration: Configuration) -> Parts:
    """Open what a process needs. It serves when this returns, and refuses while there is no projection to go by."""
    edge = Edge(
        configuration.redis_url,
        configuration.peppers,
        capacity=configuration.capacity,
        slots=configuration.slots,
        processes=configuration.processes,
        most_keys=configuration.most_keys,
        most_counters=configuration.most_counters,
    )
    await edge.open(within_seconds=OPEN_WITHIN_SECONDS)
    return Parts(edge.judge, edge.counting, edge, edge.close)
