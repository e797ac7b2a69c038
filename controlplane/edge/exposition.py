"""Numbers of several processes as one text for Prometheus.

Each process reports all that it has counted since it began, once a second; the parent adds the last reports up, and keeps what ended processes had
counted, so that a total never falls while the parent lives. What a killed process counted after its last report, a second's worth at most, is lost.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.edge.numbers import Snapshot

FAMILIES: Mapping[str, tuple[str, str]] = {
    "edge_answers_total": ("counter", "Answers by door and code."),
    "edge_refusals_total": ("counter", "Refusals by the limit that refused."),
    "edge_bad_requests_total": ("counter", "Requests that were refused before anybody was asked."),
    "edge_held_back_total": ("counter", "Refused answers that were held back."),
    "edge_connections": ("gauge", "Open connections."),
    "edge_connections_refused_total": ("counter", "Connections that were turned away, as there were too many."),
    "edge_connections_timed_out_total": ("counter", "Connections that were given up."),
    "edge_cached_entries": ("gauge", "Entries of local copies."),
    "edge_heard_seconds_ago": ("gauge", "Seconds since Redis was last heard from, of the process that is worst off."),
    "edge_slow_answer_seconds": ("histogram", "Time of answers that had to wait for Redis."),
    "edge_processes": ("gauge", "Processes that have reported lately."),
    "edge_process_restarts_total": ("counter", "Processes that ended by themselves and were started again."),
}
WORST = ("edge_heard_seconds_ago",)


def family_of(name: str) -> str:
    """Give the family of a name with or without labels."""
    bare = name.partition("{")[0]
    for ending in ("_bucket", "_sum", "_count"):
        if bare.removesuffix(ending) in FAMILIES:
            return bare.removesuffix(ending)
    return bare


def add_up(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Give the sums, and of what is no sum the worst."""
    total: Snapshot = {}
    for snapshot in snapshots:
        for name, value in snapshot.items():
            total[name] = max(total.get(name, 0.0), value) if name in WORST else total.get(name, 0) + value
    return total


def counters_of(snapshot: Snapshot) -> Snapshot:
    """Give what goes on counting after a process has ended: no gauges."""
    return {name: value for name, value in snapshot.items() if FAMILIES.get(family_of(name), ("gauge",))[0] != "gauge"}


def write(snapshot: Snapshot) -> str:
    """Give the text."""
    lines: list[str] = []
    by_family: dict[str, list[str]] = {}
    for name, value in snapshot.items():
        by_family.setdefault(family_of(name), []).append(f"{name} {_number(value)}")
    for family, (kind, told) in FAMILIES.items():
        if family in by_family:
            lines += [f"# HELP {family} {told}", f"# TYPE {family} {kind}", *by_family[family]]
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:.6f}".rstrip("0").rstrip(".")
