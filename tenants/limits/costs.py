"""What a request costs, by the class of its route. Pure.

A class is a word of the SaaS's own (``read``, ``write``, ``query``); a cost counts against rates and quotas. In flight, each request is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

DEAREST = 1_000_000
_CLASS = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs by class. Raises ValueError on a malformed class, and on a cost that is not between 1 and 1,000,000."""

    of_class: Mapping[str, int]

    def __post_init__(self) -> None:
        for word, cost in self.of_class.items():
            if _CLASS.fullmatch(word) is None or not 1 <= cost <= DEAREST:
                raise ValueError(f"not a class of routes and its cost: {word!r}, {cost}")

    def of(self, route_class: str = "") -> int:
        """Give the cost of a class: 1 for none, and the dearest known for one that nobody has priced, which must not be the cheap way in."""
        if not route_class:
            return 1
        return self.of_class.get(route_class) or max(self.of_class.values(), default=1)
