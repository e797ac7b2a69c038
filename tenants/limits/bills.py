"""One question to the limits in Redis, and how it is put to the script: its names and its arguments. No I/O."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tenants.limits.calendar import Period
from tenants.limits.concurrency import Concurrency
from tenants.limits.decision import Limit
from tenants.limits.effective import KeyLimits, Limits, rules_of
from tenants.limits.projection import WEIGHTS, pack_id
from tenants.limits.quotas import Quota
from tenants.limits.rates import Rate

SPENT, FLIGHT, BUCKET = b"edge:spent:", b"edge:flight:", b"edge:bucket:"
PLATFORM_STATE, FILLING, BORROWING = "edge:platform", "edge:filling", "edge:borrowing"
SLOTS_STATE, OWN_SLOTS, LENT_SLOTS = "edge:slots", "edge:slots-own", "edge:slots-lent"
ASKING, REFUSED, HOLDERS = "edge:asking", "edge:refused", "edge:holders"
DEAREST = 2**31 - 1
"""The greatest cost, and the most tokens, of one question: keeps every sum in the script below 2**53."""
LONGEST_LEASE_ID = 128
MOST_SLOTS = 1_000_000

_LIMITS, _RETURNED = struct.Struct(">iqqqq"), struct.Struct(">Q4I")
_NONE = -1
Periods = tuple[int, int, int, int]
"""Into which periods a question was charged: the tenant's day and month, the key's day and month; 0 where there is no such quota."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Quota tokens that were drawn by a question of the same tenant and key and not used. ``periods`` are those of its :class:`Drawn`.

    Say it once: whoever does not know whether a question arrived must let the tokens go.
    """

    tokens: int
    periods: Periods


@dataclass(frozen=True, slots=True)
class Bill:
    """One question to the limits in Redis. Ids are the product's own: never texts that a caller made up.

    Without ``lease_id`` limits of requests in flight are neither asked nor charged. ``extra`` are tokens wanted beyond the cost. ``capacity`` is the
    platform's, in cost a second, 0 when it is not to be shared; ``weights`` the sum of all served tenants' weights, 0 to use that which the
    projection keeps in Redis (while there is none, after a flush, capacity is not shared). ``slots`` are how many requests the platform has in
    flight at most, of all tenants together, 0 when they are not to be shared; asked with ``lease_id`` alone. Cost 0 looks, and may give back.
    """

    tenant_id: str
    limits: Limits
    key_id: str = ""
    key_limits: KeyLimits | None = None
    cost: int = 1
    extra: int = 0
    lease_id: str = ""
    returned: tuple[Returned, ...] = ()
    capacity: int = 0
    weights: int = 0
    slots: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.slots <= MOST_SLOTS:
            raise ValueError(f"the platform's slots are not negative, and at most {MOST_SLOTS}: {self.slots}")
        if not (0 <= self.cost <= DEAREST and 0 <= self.extra <= DEAREST and self.capacity >= 0 and self.weights >= 0):
            raise ValueError(f"costs, tokens, capacity and weights are not negative, and bounded: {self.cost}, {self.extra}")
        if (
            len(self.lease_id) > LONGEST_LEASE_ID
            or not self.lease_id.isascii()
            or (self.key_limits is not None and not self.key_id)
        ):
            raise ValueError("a lease's id is short and ASCII, and limits of a key need the key's id")

    @property
    def rules(self) -> Sequence[Limit]:
        """The limits that are asked, in their order."""
        return _rules(self.limits, self.key_limits, bool(self.lease_id))

    @property
    def spans(self) -> Sequence[int]:
        """How long the burst of each subject's rate takes to come back, in microseconds; 0 where it has no rate."""
        return _spans(self.limits, self.key_limits)


def arguments(bill: Bill) -> tuple[list[bytes | str], list[bytes | str | int]]:
    """Give KEYS and ARGV for :data:`SCRIPT`."""
    key, places, limits = bill.key_limits, [place_of(bill.tenant_id)], _pack_limits(bill.limits)
    if key is not None:
        places.append(place_of(bill.key_id))
        limits += _pack_key_limits(key)
    keys: list[bytes | str] = [SPENT + place for place in places]
    if bill.lease_id:
        keys += [FLIGHT + place for place in places]
    argv: list[bytes | str | int] = [limits, bill.cost, bill.extra]
    if bill.lease_id or bill.returned or bill.capacity:
        argv += [bill.lease_id, b"".join(_RETURNED.pack(one.tokens, *one.periods) for one in bill.returned)]
    else:
        argv.append("")
    slots = bill.slots if bill.lease_id else 0
    if bill.capacity or slots:
        keys += [BUCKET + places[0], PLATFORM_STATE, FILLING, BORROWING, WEIGHTS]
        weight = bill.limits.weight
        argv += [bill.capacity, weight, places[0] + weight.to_bytes(2, "big"), bill.weights]
    if slots:
        keys += [SLOTS_STATE, OWN_SLOTS, LENT_SLOTS, ASKING, REFUSED, HOLDERS]
        argv.append(slots)
    return keys, argv


def give_back_arguments(tenant_id: str, key_id: str, lease_id: str) -> tuple[list[bytes | str], list[bytes | str]]:
    """Give KEYS and ARGV for :data:`GIVE_BACK`, which ends a request in flight, in the platform's slots too. ``key_id`` may be empty. Repeatable."""
    flights = [FLIGHT + place_of(one) for one in (tenant_id, key_id) if one]
    return [OWN_SLOTS, LENT_SLOTS, *flights], [lease_id, place_of(tenant_id) + lease_id.encode("ascii")]


@lru_cache(maxsize=16_384)
def place_of(subject: str) -> bytes:
    """Give the 16 bytes under which a tenant or key is kept: those of its public id, or the digest of an id of another kind."""
    try:
        return pack_id(subject)
    except ValueError:
        return hashlib.sha256(subject.encode()).digest()[:16]


@lru_cache(maxsize=1_024)
def _rules(limits: Limits, key: KeyLimits | None, is_in_flight: bool) -> tuple[Limit, ...]:
    return tuple(rule for rule in rules_of(limits, key) if is_in_flight or not isinstance(rule, Concurrency))


@lru_cache(maxsize=1_024)
def _spans(limits: Limits, key: KeyLimits | None) -> tuple[int, ...]:
    spans = {rule.name: rule.limit.span_us for rule in _rules(limits, key, False) if isinstance(rule, Rate)}
    return tuple(spans.get(name, 0) for name in (("rate",) if key is None else ("rate", "key-rate")))


@lru_cache(maxsize=1_024)
def _pack_limits(limits: Limits) -> bytes:
    return _pack(rules_of(limits))


@lru_cache(maxsize=1_024)
def _pack_key_limits(limits: KeyLimits) -> bytes:
    return _pack([rule for rule in rules_of(_NOTHING, limits) if rule.name.startswith("key-")])


def _pack(rules: Sequence[Limit]) -> bytes:
    """The numbers that the script needs: interval and span of a rate (interval 0 for none), quotas and slots (-1 for none)."""
    interval, span, slots = 0, 0, _NONE
    quotas = {Period.DAY: _NONE, Period.MONTH: _NONE}
    for rule in rules:
        if isinstance(rule, Rate):
            interval, span = rule.limit.interval_us, rule.limit.span_us
        elif isinstance(rule, Quota):
            quotas[rule.period] = rule.allowance
        else:
            slots = rule.slots
    return _LIMITS.pack(interval, span, quotas[Period.DAY], quotas[Period.MONTH], slots)


_NOTHING = Limits(1, 1, 0)
"""A tenant's limits that nobody asks, where only a key's are wanted."""
