"""What if: a tenant's recorded minutes against proposed limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Minute:
    """What a tenant asked for in one minute, admitted or not: requests, and what they cost together. ``begins_us`` is since 1970."""

    begins_us: int
    requests: int
    cost: int
