"""The platform's requests in flight, shared by weight. Deterministic; no clock, no I/O.

Nobody takes a slot away from a request that runs, so here giving back needs time: a borrowed slot is lent for less than a window, after which
it no longer counts (whoever holds the request should end it by then). So three things hold:

* never are more than ``capacity`` slots taken;
* a tenant that has been asking for one window, at least once in each window, has all its guaranteed slots, whatever others do;
* a free slot is refused only if it is owed to somebody who is asking, or, for a window, to a borrower who was refused and holds less for its weight.

Among owners that return at the same time, the one that has been asking longer comes first; that is what makes the second promise hold. How long
is told in :data:`STEPS` to a window, so that what is owed is one sum a step, however many ask. Those of one step wait for each other, and a slot
is lent for a window less one step: whoever came last in a step has its slots in time, too.

Guarantees are ``capacity * weight // all weights``: what the rounding leaves over is lent. With more tenants than slots the light ones
have none, and borrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.limits.fairness import WINDOW_US, Grant, Granted

STEPS = 16
"""How finely it is told who has been asking longer: so many steps a window."""
STEP_US = WINDOW_US // STEPS
LENT_US = STEP_US * (STEPS - 1)
"""For how long a slot is lent, unless it is renewed."""


@dataclass(frozen=True, slots=True)
class _Held:
    is_borrowed: bool
    ends_at: int


@dataclass(slots=True)
class _Asking:
    since: int  # in steps
    last: int
    refused_at: int | None = None


class Slots:
    """Who may have how many of ``capacity`` slots. One instance stands for one platform; not safe across threads."""

    def __init__(self, capacity: int, weights: Mapping[str, int], *, lease_us: int, window_us: int = WINDOW_US) -> None:
        if capacity < 1 or lease_us < 1 or window_us < STEPS or any(weight < 1 for weight in weights.values()):
            raise ValueError(f"capacity, lease and weights are positive, a window has {STEPS} microseconds at least")
        total = max(1, sum(weights.values()))
        self.capacity, self._lease_us, self._window_us = capacity, lease_us, window_us
        self._step_us = window_us // STEPS
        self._lent_us = min(self._step_us * (STEPS - 1), lease_us)
        self._weights = dict(weights)
        self._guaranteed = {name: capacity * weight // total for name, weight in weights.items()}
        self._held: dict[tuple[str, str], _Held] = {}
        self._asking: dict[str, _Asking] = {}
        self._now = self._seen = 0

    @property
    def taken(self) -> int:
        """Slots in use, as of the last question."""
        return len(self._held)

    def held(self) -> dict[tuple[str, str], tuple[bool, int]]:
        """Give the slots in use as of the last question: by tenant and lease whether it is borrowed, and when it ends."""
        return {place: (one.is_borrowed, one.ends_at) for place, one in self._held.items()}

    def guarantee(self, tenant: str) -> int:
        """How many slots a tenant has whenever it keeps asking."""
        return self._guaranteed[tenant]

    def ask(self, tenant: str, now_us: int, lease_id: str) -> Grant:
        """Take a slot under a lease of the caller's own id, or renew the one that is held. A refusal's ``retry_after_us`` is one window.

        A lease that is held is never refused. It is prolonged as a new one would be: as the tenant's own where its guarantee has room, also
        when it was borrowed; borrowed for as long again if it would be lent now. Otherwise it ends when it would have ended.

        Of the clock only steps forward count. Takes time that grows with the slots taken and the tenants that ask. Raises KeyError for a
        tenant without a weight.
        """
        if tenant not in self._weights:
            raise KeyError(tenant)
        self._advance(now_us)
        before = self._held.pop((tenant, lease_id), None)
        if before is not None:
            return self._renew(tenant, lease_id, before)
        asking = self._asking.setdefault(tenant, _Asking(self._now // self._step_us, self._now))
        asking.last = self._now
        if self._count(tenant)[0] < self._guaranteed[tenant]:
            how, is_free = Granted.OWN, self.taken + self._owed(self._rank(asking), but=tenant) < self.capacity
        else:
            how, is_free = Granted.BORROWED, self._is_lent(tenant)
        if not is_free:
            asking.refused_at = self._now
            return Grant(Granted.REFUSED, self._window_us)
        return self._hold(tenant, lease_id, how)

    def give_back(self, tenant: str, lease_id: str) -> None:
        """End a lease; repeatable, and harmless for one that has ended."""
        self._held.pop((tenant, lease_id), None)

    def _renew(self, tenant: str, lease_id: str, before: _Held) -> Grant:
        """Nobody has asked for another slot, and none is needed: what becomes the tenant's own is taken already."""
        if self._count(tenant)[0] < self._guaranteed[tenant]:
            return self._hold(tenant, lease_id, Granted.OWN)
        if self._is_lent(tenant):
            return self._hold(tenant, lease_id, Granted.BORROWED)
        self._held[tenant, lease_id] = before
        return Grant(Granted.BORROWED)

    def _hold(self, tenant: str, lease_id: str, how: Granted) -> Grant:
        is_borrowed = how is Granted.BORROWED
        self._held[tenant, lease_id] = _Held(is_borrowed, self._now + (self._lent_us if is_borrowed else self._lease_us))
        return Grant(how)

    def _advance(self, now_us: int) -> None:
        self._now += max(0, now_us - self._seen)
        self._seen = now_us
        self._held = {place: held for place, held in self._held.items() if held.ends_at > self._now}
        self._asking = {name: one for name, one in self._asking.items() if self._now - one.last <= self._window_us}

    def _count(self, tenant: str) -> tuple[int, int]:
        mine = [held.is_borrowed for (name, _), held in self._held.items() if name == tenant]
        return len(mine) - sum(mine), sum(mine)

    def _rank(self, asking: _Asking) -> int:
        """The step since when one has been asking; beyond a window it makes no difference."""
        return max(asking.since, self._now // self._step_us - STEPS)

    def _owed(self, rank: int | None, *, but: str) -> int:
        """Guaranteed slots that others have not taken yet, of those that have been asking for as long; with None of all that ask."""
        others = (name for name, one in self._asking.items() if name != but and (rank is None or self._rank(one) <= rank))
        return sum(max(0, self._guaranteed[name] - self._count(name)[0]) for name in others)

    def _is_lent(self, tenant: str) -> bool:
        """Whether this tenant, which has what it is guaranteed, may borrow one more."""
        return self.taken + self._owed(None, but=tenant) < self.capacity and not self._is_over(tenant)

    def _is_over(self, tenant: str) -> bool:
        """Whether others were refused within a window, and this one has borrowed its part by weight of what can be lent."""
        refused = {
            name
            for name, one in self._asking.items()
            if name != tenant and one.refused_at is not None and self._now - one.refused_at < self._window_us
        }
        if not refused:
            return False
        owned = sum(not held.is_borrowed for held in self._held.values())
        lendable = self.capacity - owned - self._owed(None, but=tenant)
        weight, borrowed = self._weights[tenant], self._count(tenant)[1]
        weights = weight + sum(self._weights[name] for name in refused)
        return borrowed * weights >= weight * lendable
