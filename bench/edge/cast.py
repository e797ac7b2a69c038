"""Who asks: a thousand tenants with a key each, of which nobody is refused, and one that asks far above its limit."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from core.ids import KEY, TENANT, new_id
from tenants.keys.tokens import new_token
from tenants.limits.effective import Limits

TENANTS = 1_000
PLENTY = Limits(1_000_000, 1_000_000, 10**12)
"""More than any server here can ask for in a second."""
LITTLE = Limits(10, 10, 10**12)
SKEW = 1.0
PICKS = 1 << 15


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant and its one key. ``dotted`` is the key in the shape that djangorestframework-api-key makes them in."""

    tenant_id: str
    key_id: str
    text: str = field(repr=False)
    limits: Limits

    @property
    def dotted(self) -> str:
        random_part = self.text.rpartition("_")[2]
        return f"{random_part[:8]}.{random_part[-32:]}"


@dataclass(frozen=True, slots=True)
class Cast:
    """``many`` have plenty; ``loud`` has little. The first of the many is the one that is busy by itself."""

    many: tuple[Caller, ...]
    loud: Caller

    @property
    def everybody(self) -> tuple[Caller, ...]:
        return (*self.many, self.loud)


def make_cast() -> Cast:
    return Cast(tuple(_caller(PLENTY) for _ in range(TENANTS)), _caller(LITTLE))


def _caller(limits: Limits) -> Caller:
    return Caller(new_id(TENANT), new_id(KEY), new_token("cpk", "live").text, limits)


def zipf(count: int, *, picks: int = PICKS, seed: int = 1) -> list[int]:
    """Give places below ``count``, the first asked for most: place ``n`` in proportion to ``1 / (n + 1)``. The same seed gives the same."""
    weights = [1 / (place + 1) ** SKEW for place in range(count)]
    return random.Random(seed).choices(range(count), weights, k=picks)
