"""What a door asks, and what it is told. Plain values; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tenants.keys.codes import Code
from tenants.limits.decision import Decision


class Trouble(StrEnum):
    """Why there is no answer from the limits: the edge does not know, which is neither the caller's fault nor a reason to let anybody in."""

    NONE = ""
    UNHEARD = "unheard"
    """Redis has not been heard from for longer than the bound, and the tier is closed, or the tenant is not known here."""
    UNBUILT = "unbuilt"
    """The projection is missing or being rebuilt."""


@dataclass(slots=True)
class Ask:
    """One question. ``text`` is the key as presented, never kept; ``address`` is the caller's, as the door knows it, empty for none.

    ``scopes`` are all needed. ``lease_id`` names a request in flight; without one, limits of requests in flight are not asked.
    """

    text: bytes = field(repr=False)
    cost: int = 1
    scopes: tuple[str, ...] = ()
    address: str = ""
    lease_id: str = ""


Shape = tuple[bytes, tuple[int, ...]]
"""What a :data:`Template` gives."""
Template = Callable[[Decision], Shape]
"""Gives a text with ``%d`` where something of a limit remains, and how much does in this decision: what a lease still holds is added to each."""


class Limiting(Protocol):
    """How the limits stood when a request was decided. Both are made when they are asked for: most requests need one of them."""

    @property
    def decision(self) -> Decision:
        """The decision, whole."""

    @property
    def lines(self) -> bytes:
        """The decision as header lines, each ended by CRLF, ready to be put into an answer (:mod:`tenants.limits.headers`)."""

    def filled(self, template_of: Template) -> bytes:
        """The decision in another shape. The template is made once for many requests, and filled with what remains now of each limit."""


@dataclass(slots=True)
class Verdict:
    """One answer. Ids are empty, and ``number`` is 0, for a key that is not known.

    ``limiting`` is there when limits were asked, admitted or not. ``scopes`` are the key's. With ``trouble`` no code counts: a door answers that it
    cannot say (503, ``Retry-After: 1``), and lets nobody in.
    """

    code: Code
    tenant_id: str = ""
    key_id: str = ""
    number: int = 0
    scopes: tuple[str, ...] = ()
    limiting: Limiting | None = None
    trouble: Trouble = Trouble.NONE

    @property
    def is_admitted(self) -> bool:
        """Whether the request may go on."""
        return self.code is Code.VALID and not self.trouble


class Said(Protocol):
    """What was said of the limits at one moment; another object for each moment."""

    def shape(self, template_of: Template) -> Shape:
        """The decision in a shape, made once."""


class Leased(Protocol):
    """Tokens that were drawn ahead."""

    @property
    def snapshot(self) -> Said:
        """What was said of the limits when those were drawn that are taken now."""


class Passing(Protocol):
    """A question that was admitted, to be put again (:class:`controlplane.edge.passes.Pass`)."""

    @property
    def lease(self) -> Leased:
        """Where the tokens are."""

    @property
    def who(self) -> Verdict:
        """The verdict without the limits."""

    def take(self) -> int | None:
        """Admit it once more, counted, and give what is left in the lease; None when the judge must be asked."""

    def verdict(self, left: int) -> Verdict:
        """The whole verdict, with so much left in the lease."""


class Judging(Protocol):
    """What doors need of the judge (:class:`controlplane.edge.judge.Judge`)."""

    def ask(self, ask: Ask) -> Verdict | None:
        """Answer from what is at hand, without waiting; None when Redis must be asked, for which :meth:`decide` is there."""

    async def decide(self, ask: Ask) -> Verdict:
        """Answer, and ask Redis where that is needed. Never raises for a Redis that is away: that is a verdict's ``trouble``."""

    def passing(self, ask: Ask) -> Passing | None:
        """Give what admits the same question again; None where each must be asked by itself."""

    async def give_back(self, tenant_id: str, key_id: str, lease_id: str) -> None:
        """End a request in flight. Repeatable, and harmless for one that has ended."""


class CrowdedError(Exception):
    """A tenant has as many counters as it may have at once. ``retry_after_us`` is when the next of them ends, if nobody counts on it."""

    def __init__(self, retry_after_us: int) -> None:
        super().__init__("too many counters")
        self.retry_after_us = retry_after_us


class Counting(Protocol):
    """Limits that are not the tenant's own: counters that a tenant keeps here for whom it likes (``POST /v2/ratelimit.limit``)."""

    async def limit(
        self, tenant_id: str, namespace: str, identifier: str, limit: int, duration_ms: int, cost: int
    ) -> Decision | None:
        """Count ``cost`` against ``limit`` in a window of ``duration_ms`` under the tenant's own name, and give the decision with one standing.

        A refusal spends nothing; cost 0 looks. None when Redis is away: the caller answers that it cannot say. Two tenants' namespaces never meet.
        Raises CrowdedError for a counter that would be one too many; those that are there go on, and looking is free.
        """


class Listening(Protocol):
    """Whether the edge hears what changes, for probes and metrics."""

    def heard_within_bound(self) -> bool:
        """Whether Redis has been heard from within the stated bound."""

    @property
    def heard_seconds_ago(self) -> float:
        """Seconds since Redis was last heard from; infinite when it never was."""

    def sizes(self) -> Mapping[str, int]:
        """How many entries each local copy holds, by a short name (``keys``, ``unknown``, ``tenants``, ``leases``)."""
