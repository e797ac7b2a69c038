"""Limits without Redis: what an open tier's tenants live on while it is away.

Each process goes on by itself, with its part of what was known last: the rate and the burst divided by the number of processes, and what was left
of quotas likewise. So together they admit no more than the limits that were known last, but for rounding up to one. All keys of a tenant share its
part. Requests in flight cannot be counted by one process for all, and are not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controlplane.edge.asking import Ask
from controlplane.edge.leases import Held, Lease, Snapshot
from tenants.limits.decision import Limit, decide
from tenants.limits.effective import rules_of
from tenants.limits.quotas import Quota, QuotaState

MOST = 50_000
OF_KEY = "key-"
"""What the names of a key's own limits begin with."""


class Alone:
    """The states of limits in one process; times are of its own wall clock."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._tenants: dict[str, dict[str, Any]] = {}
        self._keys: dict[tuple[str, str], dict[str, Any]] = {}

    def decide(self, lease: Lease, ask: Ask) -> Held:
        """Decide one request by this process's part of the limits."""
        assert lease.limits is not None
        now_us = time.time_ns() // 1_000
        limits = self._part(lease.limits)
        key_limits = self._part(lease.key_limits) if lease.key_limits is not None else None
        rules = rules_of(limits, key_limits)
        place = (lease.tenant_id, lease.key_id)
        states = self._tenants.get(lease.tenant_id, {}) | self._keys.get(place, {})
        if place not in self._keys:
            self._begin(lease, rules, states)
        decision, states = decide(rules, states, now_us, cost=ask.cost)
        _keep(self._tenants, lease.tenant_id, {name: state for name, state in states.items() if not name.startswith(OF_KEY)})
        _keep(self._keys, place, {name: state for name, state in states.items() if name.startswith(OF_KEY)})
        return Held(Snapshot(decision), 0)

    def forget(self) -> None:
        """Begin anew the next time: Redis is back, and what was spent is counted there."""
        if self._keys:
            self._tenants.clear()
            self._keys.clear()

    def _part(self, limits: Any) -> Any:
        """A process's part of what is limited; limits of requests in flight are left out."""
        names = ("rate_per_second", "burst", "quota_per_day", "quota_per_month")
        parts = {name: -(-value // self._processes) for name in names if (value := getattr(limits, name)) is not None}
        return replace(limits, **parts, concurrency=None)

    def _begin(self, lease: Lease, rules: Sequence[Limit], states: dict[str, Any]) -> None:
        """Quotas begin with what had been used of them when Redis answered last, each process with its part; the most that any key was told."""
        told = lease.told.decision
        seen = {one.name: one for one in told.standings}
        for rule in rules:
            if isinstance(rule, Quota) and rule.name in seen:
                left = seen[rule.name].remaining // self._processes
                begun = QuotaState(rule.period.number(told.now_us), max(0, rule.allowance - left))
                states[rule.name] = max(begun, states.get(rule.name, begun), key=lambda state: (state.period, state.used))


def _keep(kept: dict[Any, dict[str, Any]], place: Any, states: dict[str, Any]) -> None:
    if place not in kept and len(kept) >= MOST:
        kept.pop(next(iter(kept)))
    kept[place] = states
