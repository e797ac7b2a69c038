"""What the reads of usage give: points of a graph, loads, refusals, quotas. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class Span(enum.StrEnum):
    """How long one point of a graph is; its value is the name of the column."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class Rank(enum.StrEnum):
    """What tenants are compared by."""

    LOAD = "load"  # the cost that was admitted
    REFUSALS = "refusals"  # the requests that were refused


@dataclass(frozen=True, slots=True)
class Point:
    """One stretch: requests allowed and refused, the cost of those that were allowed, and the refused by limit.

    ``refusals`` are by the limit's name; where no limit refused, by the code in lower case, as ``disabled``.
    """

    at: datetime
    allowed: int = 0
    refused: int = 0
    cost: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """One tenant's part of a window.

    ``share`` is of the cost that was admitted for all (0 to 1), or of the capacity where that was given (above 1 where it was set too low).
    ``refused_by`` is what refused most, as in :class:`Point`; empty for none.
    """

    tenant_id: str
    allowed: int
    refused: int
    cost: int
    share: float
    refused_by: str = ""


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many requests were refused for one reason, and what they would have cost."""

    outcome: str
    refused_by: str
    requests: int
    cost: int


@dataclass(frozen=True, slots=True)
class Used:
    """Cost that was admitted in the UTC day and month that run."""

    day: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How a quota stands: ``used`` of ``allowance`` (None: not limited) since ``begins_at``, whole again at ``resets_at``."""

    name: str
    used: int
    allowance: int | None
    begins_at: datetime
    resets_at: datetime

    @property
    def percent(self) -> int:
        """Whole percent used, rounded down, and above 100 where a quota was lowered; 0 where there is no limit."""
        return percent_of(self.used, self.allowance)


def percent_of(used: int, allowance: int | None) -> int:
    """Whole percent, rounded down. Of nothing, anything is 100."""
    if allowance is None or not used:
        return 0
    return used * 100 // allowance if allowance else 100


def reason_of(outcome: str, refused_by: str) -> str:
    """Give the name under which a refusal is told: the limit's, or the code's in lower case."""
    return refused_by or outcome.lower().replace("_", "-")
