"""What one process counts, for ``/metrics``. Never a key, a tenant or an address: doors, codes, limits' names and times.

The hot path adds to plain dictionaries; :meth:`Numbers.snapshot` makes of them what can be sent to the parent and added up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from tenants.keys.codes import Code

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
TROUBLE, BAD = "UNAVAILABLE", "BAD_REQUEST"
"""Beside the codes: no answer from the limits, and input that no door could read."""
Snapshot = dict[str, float]
"""Values by a metric's name with its labels, as Prometheus writes them."""


class Numbers:
    """Counters since the process began, and gauges of now."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, int]] = {}
        self.refusals: dict[str, int] = {}
        self.bad = 0
        self.turned_away = 0
        self.timed_out = 0
        self._slow = [0] * (len(BOUNDS_SECONDS) + 1)
        self._slow_seconds = 0.0

    def of_door(self, door: str) -> dict[str, int]:
        """The counter by code of one door; doors add to it directly."""
        return self.answers.setdefault(door, dict.fromkeys((*(code.value for code in Code), TROUBLE), 0))

    def refused_by(self, limit: str) -> None:
        """Count a refusal by the limit of this name."""
        self.refusals[limit] = self.refusals.get(limit, 0) + 1

    def observe(self, seconds: float) -> None:
        """Count one answer that had to wait for Redis."""
        self._slow[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self._slow_seconds += seconds

    def snapshot(self, connections: int, held: int, sizes: Mapping[str, int], heard_seconds_ago: float) -> Snapshot:
        """Give everything by name and labels."""
        values: Snapshot = {
            f'edge_answers_total{{door="{door}",code="{code}"}}': number
            for door, codes in self.answers.items()
            for code, number in codes.items()
        }
        values |= {f'edge_refusals_total{{limit="{limit}"}}': number for limit, number in self.refusals.items()}
        values |= {f'edge_cached_entries{{cache="{name}"}}': number for name, number in sizes.items()}
        values["edge_bad_requests_total"] = self.bad
        values["edge_held_back_total"] = held
        values["edge_connections"] = connections
        values["edge_connections_refused_total"] = self.turned_away
        values["edge_connections_timed_out_total"] = self.timed_out
        values["edge_heard_seconds_ago"] = heard_seconds_ago
        return values | self._histogram()

    def _histogram(self) -> Snapshot:
        total, values = 0, Snapshot()
        for bound, number in zip((*BOUNDS_SECONDS, None), self._slow, strict=True):
            total += number
            values[f'edge_slow_answer_seconds_bucket{{le="{"+Inf" if bound is None else bound}"}}'] = total
        return values | {"edge_slow_answer_seconds_sum": self._slow_seconds, "edge_slow_answer_seconds_count": total}
