"""The platform's requests in flight, shared by weight. Deterministic; no clock, no I/O.

Nobody takes a slot away from a request that runs, so here giving back needs time: a borrowed slot is lent for one window at most, after which
it no longer counts (whoever holds the request should end it by then). So three things hold:

* never are more than ``capacity`` slots taken;
* a tenant that has been asking for one window, at least once in each window, has all its guaranteed slots, whatever others do;
* a free slot is refused only if it is owed to somebody who is asking, or, for a window, to a borrower who was refused and holds less for its weight.

Among owners that return at the same time, the one that has been asking longer comes first; that is what makes the second promise hold.
Guarantees are ``capacity * weight // all weights``: what the rounding leaves over is lent. With more tenants than slots the light ones
have none, and borrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.limits.fairness import WINDOW_US, Grant, Granted


@dataclass(frozen=True, slots=True)
class _Held:
    tenant: str
    is_borrowed: bool
    ends_at: int


@dataclass(slots=True)
class _Asking:
    since: int
    last: int
    refused_at: int | None = None


class Slots:
    """Who may have how many of ``capacity`` slots. One instance stands for one platform; not safe across threads."""

    def __init__(self, capacity: int, weights: Mapping[str, int], *, lease_us: int, window_us: int = WINDOW_US) -> None:
        if capacity < 1 or lease_us < 1 or window_us < 1 or any(weight < 1 for weight in weights.values()):
            raise ValueError("capacity, lease, window and weights are positive")
        total = max(1, sum(weights.values()))
        self.capacity, self._lease_us, self._window_us = capacity, lease_us, window_us
        self._weights = dict(weights)
        self._guaranteed = {name: capacity * weight // total for name, weight in weights.items()}
        self._held: dict[str, _Held] = {}
        self._asking: dict[str, _Asking] = {}
        self._now = self._seen = 0

    @property
    def taken(self) -> int:
        """Slots in use, as of the last question."""
        return len(self._held)

    def guarantee(self, tenant: str) -> int:
        """How many slots a tenant has whenever it keeps asking."""
        return self._guaranteed[tenant]

    def ask(self, tenant: str, now_us: int, lease_id: str) -> Grant:
        """Take a slot under a lease of the caller's own, new id. A refusal's ``retry_after_us`` is one window at most.

        Of the clock only steps forward count. Takes time that grows with the slots taken and the tenants that ask. Raises KeyError for a
        tenant without a weight, ValueError for a lease that is held already.
        """
        weight = self._weights[tenant]
        self._advance(now_us)
        if lease_id in self._held:
            raise ValueError(f"this lease is held already: {lease_id}")
        asking = self._asking.setdefault(tenant, _Asking(self._now, self._now))
        asking.last = self._now
        owned, borrowed = self._count(tenant)
        if owned < self._guaranteed[tenant]:
            is_free = self.taken + self._owed(asking.since, but=tenant) < self.capacity
            return self._take(tenant, lease_id, asking, is_free, Granted.OWN, self._lease_us)
        is_free = self.taken + self._owed(self._now, but=tenant) < self.capacity and not self._is_over(tenant, weight, borrowed)
        return self._take(tenant, lease_id, asking, is_free, Granted.BORROWED, min(self._window_us, self._lease_us))

    def give_back(self, lease_id: str) -> None:
        """End a lease; repeatable, and harmless for one that has ended."""
        self._held.pop(lease_id, None)

    def _take(self, tenant: str, lease_id: str, asking: _Asking, is_free: bool, how: Granted, for_us: int) -> Grant:
        if not is_free:
            asking.refused_at = self._now
            return Grant(Granted.REFUSED, self._window_us)
        self._held[lease_id] = _Held(tenant, how is Granted.BORROWED, self._now + for_us)
        return Grant(how)

    def _advance(self, now_us: int) -> None:
        self._now += max(0, now_us - self._seen)
        self._seen = now_us
        self._held = {lease_id: held for lease_id, held in self._held.items() if held.ends_at > self._now}
        self._asking = {name: one for name, one in self._asking.items() if self._now - one.last <= self._window_us}

    def _count(self, tenant: str) -> tuple[int, int]:
        mine = [held.is_borrowed for held in self._held.values() if held.tenant == tenant]
        return len(mine) - sum(mine), sum(mine)

    def _owed(self, since: int, *, but: str) -> int:
        """Guaranteed slots that others have not taken yet, of those that have been asking for as long."""
        others = (name for name, one in self._asking.items() if name != but and one.since <= since)
        return sum(max(0, self._guaranteed[name] - self._count(name)[0]) for name in others)

    def _is_over(self, tenant: str, weight: int, borrowed: int) -> bool:
        """Whether others were refused within a window, and this one has borrowed its part by weight of what can be lent."""
        refused = {
            name
            for name, one in self._asking.items()
            if name != tenant and one.refused_at is not None and self._now - one.refused_at < self._window_us
        }
        if not refused:
            return False
        owned = sum(not held.is_borrowed for held in self._held.values())
        lendable = self.capacity - owned - self._owed(self._now, but=tenant)
        weights = weight + sum(self._weights[name] for name in refused)
        return borrowed * weights >= weight * lendable
