"""Who may make or touch which key: nobody gives away more than they have. Pure.

A key that manages keys acts within its own strength: environment, scopes, address ranges and end of life. It may neither make nor change
nor rotate a key that can do what it cannot, from where it cannot, or for longer than it can; otherwise a stolen management key would
be worth more than what was stolen. Operators and members act with their own role instead, and have no such bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenants.keys import cidrs


@dataclass(frozen=True, slots=True)
class Strength:
    """What a key can do; ``ends_at`` is when it will be over at the latest, None for a key that its rotations may carry on for ever."""

    environment: str
    scopes: frozenset[str]
    cidrs: Sequence[str]
    ends_at: datetime | None


def excess(wanted: Strength, holder: Strength) -> dict[str, str]:
    """Give, by field, in what ``wanted`` is stronger than ``holder``; empty when it is not."""
    found: dict[str, str] = {}
    if wanted.environment != holder.environment:
        found["environment"] = f"A {holder.environment} key manages {holder.environment} keys only."
    if more := sorted(wanted.scopes - holder.scopes):
        found["scopes"] = f"The key that asks does not have {', '.join(more)} itself."
    if not cidrs.covers(holder.cidrs, wanted.cidrs):
        found["cidrs"] = "The key that asks may not be used from all of these addresses itself."
    if holder.ends_at is not None and (wanted.ends_at is None or wanted.ends_at > holder.ends_at):
        found["expires_at"] = f"The key that asks expires itself at {holder.ends_at:%Y-%m-%dT%H:%M:%SZ}."
    return found
