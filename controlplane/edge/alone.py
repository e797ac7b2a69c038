"""Limits without Redis: what an open tier's tenants live on while it is away.

Each process goes on by itself, with its part of what was known last: the rate and the burst divided by the number of processes, and what was left
of quotas likewise. So together they admit no more than the limits that were known last, but for rounding up to one. Requests in flight cannot be
counted by one process for all, and are not.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from controlplane.edge.asking import Ask
from controlplane.edge.leases import Held, Lease, Snapshot
from tenants.limits.calendar import Period
from tenants.limits.decision import decide
from tenants.limits.effective import KeyLimits, Limits, rules_of
from tenants.limits.quotas import QuotaState

MOST = 50_000


class Alone:
    """The states of limits in one process; times are of its own wall clock."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._states: dict[tuple[str, str], dict[str, Any]] = {}

    def decide(self, lease: Lease, ask: Ask) -> Held:
        """Decide one request by this process's part of the limits."""
        assert lease.limits is not None
        now_us = time.time_ns() // 1_000
        limits = self._part(lease.limits)
        key_limits = self._part(lease.key_limits) if lease.key_limits is not None else None
        place = (lease.tenant_id, lease.key_id)
        if place not in self._states:
            if len(self._states) >= MOST:
                self._states.pop(next(iter(self._states)))
            self._states[place] = self._begin(lease, limits, key_limits, now_us)
        decision, states = decide(rules_of(limits, key_limits), self._states[place], now_us, cost=ask.cost)
        self._states[place] = dict(states)
        return Held(Snapshot(decision), 0)

    def forget(self) -> None:
        """Begin anew the next time: Redis is back, and what was spent is counted there."""
        if self._states:
            self._states.clear()

    def _part(self, limits: Any) -> Any:
        """A process's part of what is limited; limits of requests in flight are left out."""
        names = ("rate_per_second", "burst", "quota_per_day", "quota_per_month")
        parts = {name: -(-value // self._processes) for name in names if (value := getattr(limits, name)) is not None}
        return replace(limits, **parts, concurrency=None)

    def _begin(self, lease: Lease, limits: Limits, key_limits: KeyLimits | None, now_us: int) -> dict[str, Any]:
        """Quotas begin with what had been used of them when Redis answered last, each process with its part."""
        states: dict[str, Any] = {}
        seen = {one.name: one for one in lease.snapshot.decision.standings}
        for rule in rules_of(limits, key_limits):
            period = getattr(rule, "period", None)
            if isinstance(period, Period) and rule.name in seen:
                left = seen[rule.name].remaining // self._processes
                states[rule.name] = QuotaState(period.number(now_us), max(0, rule.allowance - left))  # type: ignore[union-attr]
        return states
