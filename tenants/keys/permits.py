"""Whether who asks may do this to that key: the check that services make when a key manages keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from core.errors import FieldError, ForbiddenError
from tenants.keys.inputs import Wish
from tenants.keys.life import SHORTEST_LIFE
from tenants.keys.models import ApiKey
from tenants.keys.strength import Strength, excess


class KeyTooStrongError(ForbiddenError):
    """A key that manages keys may neither make nor touch one that can do more than itself."""

    code = "key-too-strong"
    title = "The key that asks is not strong enough"


@dataclass(frozen=True, slots=True)
class Holder:
    """A key that manages keys. ``version_ends_at`` is when the version that was presented expires: nothing that it makes outlives that."""

    key_id: str
    strength: Strength
    version_ends_at: datetime


def strength_of(key: ApiKey) -> Strength:
    """What a key can do, by its row."""
    return Strength(key.environment, frozenset(key.scopes), tuple(key.cidrs), key.expires_at)


def strength_of_wish(key: ApiKey, wish: Wish) -> Strength:
    """What a key could do once a wish is granted."""
    own = strength_of(key)
    return replace(
        own,
        scopes=frozenset(wish.get("scopes", own.scopes)),
        cidrs=tuple(wish.get("cidrs", own.cidrs)),
        ends_at=wish.get("expires_at", own.ends_at),
    )


def check_strength(wanted: Strength, within: Holder | None) -> None:
    """Raise KeyTooStrongError, with the fields, when ``wanted`` exceeds who asks; None may everything."""
    if within is not None:
        _refuse(excess(wanted, within.strength))


def check_making(wanted: Strength, within: Holder | None) -> None:
    """As :func:`check_strength`, for a key that is to be made: it ends no later than the version that asks for it."""
    if within is not None:
        _refuse(excess(wanted, replace(within.strength, ends_at=within.version_ends_at)))


def check_time_left(maker_ends_at: datetime | None, now: datetime) -> None:
    """Raise KeyTooStrongError when the version that asks is about to end, and what it made with it: a rotation would end the key."""
    if maker_ends_at is not None and maker_ends_at < now + SHORTEST_LIFE:
        _refuse({"expires_at": f"The key that asks expires itself at {maker_ends_at:%Y-%m-%dT%H:%M:%SZ}, in less than a minute."})


def _refuse(found: dict[str, str]) -> None:
    if found:
        errors = tuple(FieldError(f"/{name}", why, "too-strong") for name, why in found.items())
        raise KeyTooStrongError(" ".join(found.values()), errors=errors)
