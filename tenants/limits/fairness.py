"""Requests a second, shared by weight: guarantees that nobody can take, a surplus that anybody may have. Deterministic; no clock, no I/O.

Capacity is a flow of tokens. Each tenant's guarantee is the part of it that its weight stands for, and fills a bucket of its own, one window
deep. What flows past a full bucket is the surplus, in a shallow bucket of its own, and is lent. So three things hold at every moment:

* a request that the tenant's own bucket covers is admitted, whatever all others do: nothing was lent that an owner had a claim to;
* in any time t, all together are admitted at most ``capacity * t + burst`` cost;
* nothing flows to waste while somebody is refused whose need is at most a quarter of the surplus' depth.

A tenant that comes back has its whole bucket at once, and its flow from then on; lending ends in the same moment, so *within one window* is
kept with nothing to spare. Among borrowers, small needs come first: who has borrowed of late no more than its own guarantee brings in a
window may draw the surplus down to nothing, so that its bursts are not refused beside a flood. Others may draw it down to half, and only to
three quarters when they are ahead of the rest, counted by weight.

Sources: token buckets that borrow from a parent (HTB, M. Devera, 2002); virtual time for who is ahead, after start-time fair queueing
(P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996); what it comes near to is weighted max-min (D. Bertsekas, R. Gallager, Data Networks, 1992).
All numbers are whole: a token is so fine that every guarantee is a whole number of them each microsecond.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Mapping
from dataclasses import dataclass

SECOND_US = 1_000_000
WINDOW_US = SECOND_US
LENDING_US = SECOND_US // 20
"""How much flow the surplus keeps. It is what borrowers can bring down on the platform at once, so it is short."""
_VIRTUAL = 1 << 32
"""Steps of virtual time in one cost of a tenant with weight one."""


class Granted(enum.StrEnum):
    """By what a request was admitted, or that it was not."""

    OWN = "own"
    BORROWED = "borrowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Grant:
    """``retry_after_us`` is 0 when admitted; else when the tenant's own bucket will cover the cost, and None when it never will."""

    granted: Granted
    retry_after_us: int | None = 0

    @property
    def is_admitted(self) -> bool:
        """Whether the request may go on."""
        return self.granted is not Granted.REFUSED


@dataclass(slots=True)
class _Owner:
    """A tenant's share: tokens a microsecond, depth of its bucket, and what is in it unless it is full."""

    weight: int
    flow: int
    depth: int
    level: int = 0
    full_at: int = 0  # 0: it is full


@dataclass(slots=True)
class _Borrower:
    """Where a tenant stands in virtual time, and how much it has borrowed, decaying, in tokens."""

    virtual: int
    owed: int
    seen_at: int


class Sharing:
    """Who may have how much of ``capacity`` cost a second. One instance stands for one platform; not safe across threads."""

    def __init__(
        self, capacity: int, weights: Mapping[str, int], *, window_us: int = WINDOW_US, lending_us: int = LENDING_US
    ) -> None:
        if capacity < 1 or window_us < 1 or lending_us < 1 or any(weight < 1 for weight in weights.values()):
            raise ValueError("capacity, window and weights are positive")
        total = max(1, sum(weights.values()))
        self._token = SECOND_US * total  # so that capacity * weight tokens flow to an owner each microsecond, without a rest
        self._flow = capacity * total
        self._window_us = window_us
        # A share so small that a window brings less than one request still covers one: what cannot be used is no guarantee.
        self._owners = {
            name: _Owner(weight, capacity * weight, max(capacity * weight * window_us, self._token))
            for name, weight in weights.items()
        }
        self._depth = max(self._flow * lending_us, 4 * self._token)
        self._surplus = self._depth
        self._reserved_flow = 0  # of all owners whose buckets are filling
        self._filling: list[tuple[int, str]] = []  # (full at, whose), with stale entries
        self._borrowers: dict[str, _Borrower] = {}
        self._virtual = 0
        self._now = self._seen = 0

    @property
    def burst(self) -> int:
        """What may be admitted at once after a long quiet, in cost, rounded up: all buckets and the surplus."""
        return -(-(sum(owner.depth for owner in self._owners.values()) + self._depth) // self._token)

    def guarantee(self, tenant: str) -> float:
        """Cost a second that a tenant always has, for people."""
        return self._owners[tenant].flow * SECOND_US / self._token

    def ask(self, tenant: str, now_us: int, *, cost: int = 1) -> Grant:
        """Admit a request from the tenant's own bucket, with what is lacking borrowed, or refuse it and take nothing.

        Of the clock only steps forward count. Takes time that grows with the logarithm of the tenants that have asked within a window and with
        the number that borrow. Raises KeyError for a tenant without a weight, ValueError on a cost below one.
        """
        if cost < 1:
            raise ValueError(f"a cost is positive: {cost}")
        owner, tokens = self._owners[tenant], cost * self._token
        self._advance(now_us)
        level = self._level(owner)
        lacking = max(0, tokens - level)
        if lacking and not self._lend(tenant, owner, lacking):
            return Grant(Granted.REFUSED, None if tokens > owner.depth else -(-lacking // owner.flow))
        self._draw(tenant, owner, level, level - tokens + lacking)
        return Grant(Granted.BORROWED if lacking else Granted.OWN)

    def _advance(self, now_us: int) -> None:
        """Let time pass: owners whose buckets fill up on the way begin to leave their flow to the surplus."""
        target = self._now + max(0, now_us - self._seen)
        self._seen = now_us
        while self._filling and self._filling[0][0] <= target:
            full_at, name = heapq.heappop(self._filling)
            owner = self._owners[name]
            if owner.full_at == full_at:
                self._pour(full_at)
                self._reserved_flow -= owner.flow
                # The microsecond in which it became full was reserved for it whole.
                self._surplus = min(self._depth, self._surplus + self._level_at(owner, full_at) - owner.depth)
                owner.full_at = 0
        self._pour(target)

    def _pour(self, until: int) -> None:
        """Add the flow that no filling bucket has a claim to."""
        self._surplus = min(self._depth, self._surplus + (self._flow - self._reserved_flow) * (until - self._now))
        self._now = until

    def _level(self, owner: _Owner) -> int:
        return self._level_at(owner, self._now) if owner.full_at else owner.depth

    @staticmethod
    def _level_at(owner: _Owner, at: int) -> int:
        """Counted back from the moment at which it will be full: ``level`` is what it will hold then, a little above its depth."""
        return owner.level - owner.flow * (owner.full_at - at)

    def _draw(self, name: str, owner: _Owner, before: int, after: int) -> None:
        if before == after:
            return
        if not owner.full_at:
            self._reserved_flow += owner.flow
        microseconds = -(-(owner.depth - after) // owner.flow)
        owner.full_at = self._now + microseconds
        owner.level = after + owner.flow * microseconds
        heapq.heappush(self._filling, (owner.full_at, name))

    def _lend(self, name: str, owner: _Owner, tokens: int) -> bool:
        """Lend from the surplus if there is enough and nobody has a better claim to it; remember who asked."""
        borrower = self._borrower(name, owner)
        if self._surplus - tokens < self._floor(borrower, owner, tokens):
            return False
        self._surplus -= tokens
        borrower.owed += tokens
        weights = sum(self._owners[other].weight for other in self._borrowers)
        self._virtual += tokens * _VIRTUAL // (self._token * weights)
        borrower.virtual += tokens * _VIRTUAL // (self._token * owner.weight)
        return True

    def _floor(self, borrower: _Borrower, owner: _Owner, tokens: int) -> int:
        """How far down this borrower may draw the surplus."""
        if borrower.owed + tokens <= owner.depth:
            return 0
        return self._depth // 2 if borrower.virtual <= self._virtual else self._depth * 3 // 4

    def _borrower(self, name: str, owner: _Owner) -> _Borrower:
        """Give where a tenant stands among those that have asked to borrow within a window; forget all others."""
        for gone in [other for other, one in self._borrowers.items() if self._now - one.seen_at >= self._window_us]:
            del self._borrowers[gone]
        borrower = self._borrowers.setdefault(name, _Borrower(self._virtual, 0, self._now))
        borrower.owed = max(0, borrower.owed - owner.flow * (self._now - borrower.seen_at))
        # How far one is ahead or behind is forgotten beyond one depth: what nobody else wanted is not held against it, nor saved up, for long.
        reach = self._depth * _VIRTUAL // (self._token * owner.weight)
        borrower.virtual = min(max(borrower.virtual, self._virtual - reach), self._virtual + reach)
        borrower.seen_at = self._now
        return borrower
