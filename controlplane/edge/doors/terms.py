"""What a proxy says a request is: its cost, its class and the scopes that it needs, in headers that the proxy sets and no caller may.

A proxy has a handful of routes, so what each combination means is worked out once and kept.
"""

from __future__ import annotations

from controlplane.edge.doors.fields import MOST_COST, MOST_SCOPES, is_class
from controlplane.edge.requests import Request
from tenants.keys.scopes import is_scope
from tenants.limits.costs import Costs

MOST_KEPT = 4_096
Terms = tuple[int, tuple[str, ...]]
"""The cost and the scopes."""
NOTHING_SAID: Terms = (1, ())


class TermsReader:
    """Reads ``X-Edge-Cost`` (how many, 1 by default), ``X-Edge-Class`` (what each costs) and ``X-Edge-Scopes`` (separated by blanks or commas)."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._kept: dict[tuple[bytes | None, bytes | None, bytes | None], Terms] = {}

    def read(self, request: Request) -> Terms | None:
        """Give the terms; None where a header means nothing."""
        headers = request.headers
        given = (headers.get(b"x-edge-cost"), headers.get(b"x-edge-class"), headers.get(b"x-edge-scopes"))
        kept = self._kept.get(given)
        return kept if kept is not None else self._work_out(given)

    def _work_out(self, given: tuple[bytes | None, bytes | None, bytes | None]) -> Terms | None:
        cost, route_class, scopes = (value or b"" for value in given)
        words = tuple(dict.fromkeys(scopes.decode("latin-1").replace(",", " ").split()))
        if (
            (cost and not (cost.isdigit() and len(cost) <= 7 and int(cost) <= MOST_COST))
            or (route_class and not is_class(route_class.decode("latin-1")))
            or len(words) > MOST_SCOPES
            or not all(is_scope(word) for word in words)
        ):
            return None
        terms = (int(cost or b"1") * self._costs.of(route_class.decode("ascii")), words)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[given] = terms
        return terms
