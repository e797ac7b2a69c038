"""The whole decision inside Redis: what :func:`tenants.limits.decision.decide` says of one request, decided and charged in one atomic script.

Neither Django nor a client is needed here: :func:`arguments` gives KEYS and ARGV of :data:`SCRIPT`, and :func:`read_reply` reads what it returned,
so it serves a blocking client and an asyncio one. Replies must come as bytes (``decode_responses`` off).

Redis' own clock counts, read inside the script; days and months are worked out there too, so no caller can be in another period.
Of each tenant, and of each key with limits of its own, Redis keeps one string of 44 bytes, which expires when it says nothing any more; of
requests in flight one sorted set. ``docs/limits.md`` has what a call costs.

**Leases.** With ``extra`` as many tokens more are charged as every limit allows, to be given out by the caller without asking. They are spent when
they are drawn, so nothing is ever admitted twice: over-admission is 0. Tokens of a rate that are not used lapse, at most ``extra`` a lease; of
quotas they are given back with the next question (``returned``), and are lost only with the process that holds them. No lease is more than 1/64 of
what is left of a quota, so the last 64 are counted one by one.

**The platform.** With ``capacity`` the tenant's part of it is asked too, when all limits admit; :mod:`tenants.limits.fairness` says how, and decision
13 what the doubles give up. A lease is also charged to that.

Guarantees hold as long as Redis keeps its data. A Redis that has lost it hands out every burst, and what is left of every quota, anew.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tenants.keys.codes import Code
from tenants.limits import scripts
from tenants.limits.board import WEIGHTS
from tenants.limits.calendar import Period
from tenants.limits.concurrency import Concurrency
from tenants.limits.decision import Decision, Limit
from tenants.limits.effective import KeyLimits, Limits, rules_of
from tenants.limits.fairness import WINDOW_US
from tenants.limits.judgement import Standing
from tenants.limits.projection import pack_id
from tenants.limits.quotas import Quota, QuotaState
from tenants.limits.rates import Rate, RateState

SCRIPT, GIVE_BACK = scripts.SPEND, scripts.GIVE_BACK
SPENT, FLIGHT, BUCKET = b"edge:spent:", b"edge:flight:", b"edge:bucket:"
PLATFORM_STATE, FILLING, BORROWING = "edge:platform", "edge:filling", "edge:borrowing"
PLATFORM = "platform"
"""The name of the limit that refused when the platform had no room."""
DEAREST = 2**31 - 1
"""The greatest cost, and the most tokens, of one question: keeps every sum in the script below 2**53."""
LONGEST_LEASE_ID = 128

_VERDICT, _RECORD, _FLIGHT, _GUARANTEE = (struct.Struct(shape) for shape in (">BqQI", ">QQIIQIQ", ">IQ", ">Q"))
_LIMITS, _RETURNED = struct.Struct(">iqqqq"), struct.Struct(">Q4I")
_NONE = -1
_NAMES = ("rate", "quota-day", "quota-month", "concurrency")
_PLACES = ("", *_NAMES, *(f"key-{name}" for name in _NAMES), PLATFORM)
_CODES = {place: Code.USAGE_EXCEEDED if "quota" in place else Code.RATE_LIMITED for place in _PLACES[1:]} | {"": Code.VALID}
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
    projection keeps in Redis (while there is none, after a flush, capacity is not shared). Cost 0 looks, and may give back.
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

    def __post_init__(self) -> None:
        if not (0 <= self.cost <= DEAREST and 0 <= self.extra <= DEAREST and self.capacity >= 0 and self.weights >= 0):
            raise ValueError(f"costs, tokens, capacity and weights are not negative, and bounded: {self.cost}, {self.extra}")
        if len(self.lease_id) > LONGEST_LEASE_ID or (self.key_limits is not None and not self.key_id):
            raise ValueError("a lease's id is short, and limits of a key need the key's id")

    @property
    def rules(self) -> Sequence[Limit]:
        """The limits that are asked, in their order."""
        return _rules(self.limits, self.key_limits, bool(self.lease_id))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of a question. ``extra`` tokens are the caller's to give out; those of quotas can be given back with ``periods``."""

    bill: Bill
    refused_by: str
    retry_after_us: int | None
    now_us: int
    extra: int
    periods: Periods
    reply: bytes

    @property
    def code(self) -> Code:
        """``VALID``, ``RATE_LIMITED`` or ``USAGE_EXCEEDED``."""
        return _CODES[self.refused_by]

    @property
    def is_admitted(self) -> bool:
        """Whether the request may go on."""
        return not self.refused_by

    @property
    def decision(self) -> Decision:
        """The decision as the pure function gives it, made when it is asked for. The extra tokens count as spent in its standings.

        When the platform refused there is one standing more, :data:`PLATFORM`: what the tenant is guaranteed in a second, of which nothing is left.
        """
        subjects, is_in_flight = (1 if self.bill.key_limits is None else 2), bool(self.bill.lease_id)
        spent = [_Spent(self.reply, place, subjects, is_in_flight=is_in_flight) for place in range(subjects)]
        standings = [spent[rule.name.startswith("key-")].standing(rule, self.now_us) for rule in self.bill.rules]
        if self.refused_by == PLATFORM:
            guarantee = _GUARANTEE.unpack_from(self.reply, len(self.reply) - _GUARANTEE.size)[0] // 1_000
            standings.append(Standing(PLATFORM, max(1, guarantee), WINDOW_US, 0, self.retry_after_us or WINDOW_US))
        return Decision(self.code, self.bill.cost, self.refused_by, self.retry_after_us, tuple(standings), self.now_us)


class _Spent:
    """What Redis said of one subject: its record, how many of its requests are in flight, and when the last of their leases ends."""

    def __init__(self, reply: bytes, place: int, subjects: int, *, is_in_flight: bool) -> None:
        seen, owed, interval, day, day_used, month, month_used = _record(reply, place)
        self.rate = RateState(seen + owed, seen, interval)
        self.quotas = {Period.DAY: QuotaState(day, day_used), Period.MONTH: QuotaState(month, month_used)}
        self.taken = self.last_ends_us = 0
        if is_in_flight:
            at = _VERDICT.size + _RECORD.size * subjects + _FLIGHT.size * place
            self.taken, self.last_ends_us = _FLIGHT.unpack_from(reply, at)

    def standing(self, rule: Limit, now_us: int) -> Standing:
        """How a limit of this subject stands."""
        if isinstance(rule, Rate):
            return rule.standing(self.rate, now_us)
        if isinstance(rule, Quota):
            return rule.standing(self.quotas[rule.period], now_us)
        return rule.standing_of(self.taken, self.last_ends_us, now_us)


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
    if bill.capacity:
        keys += [BUCKET + places[0], PLATFORM_STATE, FILLING, BORROWING, WEIGHTS]
        weight = bill.limits.weight
        argv += [bill.capacity, weight, places[0] + weight.to_bytes(2, "big"), bill.weights]
    return keys, argv


def read_reply(bill: Bill, reply: bytes) -> Drawn:
    """Read what :data:`SCRIPT` returned to this question."""
    place, wait, now_us, extra = _VERDICT.unpack_from(reply)
    return Drawn(bill, _PLACES[place], None if wait < 0 else wait, now_us, extra, _periods(bill, reply), reply)


def give_back_arguments(tenant_id: str, key_id: str, lease_id: str) -> tuple[list[bytes], list[str]]:
    """Give KEYS and ARGV for :data:`GIVE_BACK`, which ends a request in flight. ``key_id`` may be empty. Repeatable."""
    return [FLIGHT + place_of(one) for one in (tenant_id, key_id) if one], [lease_id]


@lru_cache(maxsize=16_384)
def place_of(subject: str) -> bytes:
    """Give the 16 bytes under which a tenant or key is kept: those of its public id, or the digest of an id of another kind."""
    try:
        return pack_id(subject)
    except ValueError:
        return hashlib.sha256(subject.encode()).digest()[:16]


def _record(reply: bytes, place: int) -> tuple[int, ...]:
    return _RECORD.unpack_from(reply, _VERDICT.size + _RECORD.size * place)


def _periods(bill: Bill, reply: bytes) -> Periods:
    key, record = bill.key_limits, _record(reply, 0)
    day, month = record[3], record[5] if bill.limits.quota_per_month is not None else 0
    if key is None:
        return day, month, 0, 0
    record = _record(reply, 1)
    return day, month, record[3] if key.quota_per_day is not None else 0, record[5] if key.quota_per_month is not None else 0


@lru_cache(maxsize=1_024)
def _rules(limits: Limits, key: KeyLimits | None, is_in_flight: bool) -> tuple[Limit, ...]:
    return tuple(rule for rule in rules_of(limits, key) if is_in_flight or not isinstance(rule, Concurrency))


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
