"""Requests in flight: so many slots, each held under a lease, so that a caller who crashed does not keep one for ever. Pure.

A lease is known by the caller's own id (a request id): asking again with the same one renews it and takes no second slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tenants.keys.codes import Code
from tenants.limits.judgement import IN_FLIGHT, Judgement, Standing, check_name

HINT_US = 1_000_000
"""What a refused caller is told to wait at most. Slots come back unannounced, mostly long before their leases end."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A slot in use until it is given back, or until ``ends_us``."""

    id: str
    ends_us: int


Leases = tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most ``slots`` at once, each for ``lease_us`` unless renewed. A request longer than its lease must renew it, or is not counted."""

    name: str
    slots: int
    lease_us: int
    code: ClassVar[Code] = Code.RATE_LIMITED

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.slots < 0 or self.lease_us < 1:
            raise ValueError(f"slots are not negative, and a lease lasts: {self}")

    def judge(self, state: Leases | None, now_us: int, *, cost: int, lease_id: str = "") -> Judgement[Leases]:
        """Say whether there is a slot for ``lease_id``. Whatever it costs, a request takes one; a look (cost 0) takes none.

        A lease that seems to end later than a fresh one would, after the clock went back, is cut to that. Lowering the slots
        ends nobody's request: it admits none until enough have come back. Raises ValueError on a request without a lease's id.
        """
        if cost and not lease_id:
            raise ValueError("a request in flight needs the id of its lease")
        kept = self._living(state or (), now_us)
        if not cost:
            return Judgement(True, 0, kept, kept)
        others = tuple(lease for lease in kept if lease.id != lease_id)
        fits = len(others) < len(kept) or len(others) < self.slots
        spent = (*others, Lease(lease_id, now_us + self.lease_us))
        return Judgement(fits, 0 if fits else self._retry(kept, now_us), kept, spent if fits else kept)

    def standing(self, state: Leases, now_us: int) -> Standing:
        """How it stands; the reset is the end of the last lease, by when all slots are back in any case."""
        living = self._living(state, now_us)
        return self.standing_of(len(living), max((lease.ends_us for lease in living), default=now_us), now_us)

    def standing_of(self, taken: int, last_ends_us: int, now_us: int) -> Standing:
        """How it stands with so many slots taken, of which the last is free at ``last_ends_us`` at the latest."""
        return Standing(self.name, self.slots, 0, max(0, self.slots - taken), last_ends_us - now_us, IN_FLIGHT)

    def _living(self, leases: Leases, now_us: int) -> Leases:
        latest = now_us + self.lease_us
        return tuple(Lease(lease.id, min(lease.ends_us, latest)) for lease in leases if lease.ends_us > now_us)

    def _retry(self, kept: Leases, now_us: int) -> int | None:
        if not self.slots:
            return None
        return min(HINT_US, min(lease.ends_us for lease in kept) - now_us)


def give_back(leases: Leases, lease_id: str) -> Leases:
    """Give the leases without this one; repeatable, and harmless for one that has ended."""
    return tuple(lease for lease in leases if lease.id != lease_id)
