"""What a process of the edge opens before it serves: its judge, and what belongs to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from controlplane.edge.asking import Ask, Counting, Judging, Listening, Trouble, Verdict
from controlplane.edge.configuration import Configuration
from tenants.keys.codes import Code
from tenants.limits.decision import Decision


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


class Nobody:
    """A judge that knows nothing and admits nobody: each answer is that the edge cannot say."""

    heard_seconds_ago = float("inf")

    def ask(self, ask: Ask) -> Verdict | None:
        """See :class:`~controlplane.edge.asking.Judging`."""
        return Verdict(Code.NOT_FOUND, trouble=Trouble.UNBUILT)

    async def decide(self, ask: Ask) -> Verdict:
        """See :class:`~controlplane.edge.asking.Judging`."""
        return Verdict(Code.NOT_FOUND, trouble=Trouble.UNBUILT)

    async def give_back(self, tenant_id: str, key_id: str, lease_id: str) -> None:
        """See :class:`~controlplane.edge.asking.Judging`."""

    async def limit(
        self, tenant_id: str, namespace: str, identifier: str, limit: int, duration_ms: int, cost: int
    ) -> Decision | None:
        """See :class:`~controlplane.edge.asking.Counting`."""
        return None

    def heard_within_bound(self) -> bool:
        """See :class:`~controlplane.edge.asking.Listening`."""
        return False

    def sizes(self) -> Mapping[str, int]:
        """See :class:`~controlplane.edge.asking.Listening`."""
        return {}


async def open_parts(configuration: Configuration) -> Parts:
    """Open what a process needs; it serves when this returns."""
    nobody = Nobody()
    return Parts(nobody, nobody, nobody)
