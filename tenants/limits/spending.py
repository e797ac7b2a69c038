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
13 what the doubles give up. A lease is also charged to that. With ``slots`` and a lease's id the platform's requests in flight are asked last, as
:mod:`tenants.limits.slots` says; a slot is kept by asking again with the same id.

Guarantees hold as long as Redis keeps its data. A Redis that has lost it hands out every burst, and what is left of every quota, anew.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tenants.keys.codes import Code
from tenants.limits import scripts
from tenants.limits.bills import BUCKET, FLIGHT, SPENT, Bill, Periods, Returned, arguments, give_back_arguments, place_of
from tenants.limits.calendar import Period
from tenants.limits.decision import Decision, Limit
from tenants.limits.fairness import WINDOW_US
from tenants.limits.judgement import IN_FLIGHT, Standing
from tenants.limits.quotas import Quota, QuotaState
from tenants.limits.rates import Rate, RateState

__all__ = [
    "BUCKET",
    "FLIGHT",
    "GIVE_BACK",
    "PLATFORM",
    "PLATFORM_SLOTS",
    "SCRIPT",
    "SPENT",
    "Bill",
    "Drawn",
    "Periods",
    "Returned",
    "arguments",
    "give_back_arguments",
    "place_of",
    "read_reply",
]

SCRIPT, GIVE_BACK = scripts.SPEND, scripts.GIVE_BACK
PLATFORM, PLATFORM_SLOTS = "platform", "platform-concurrency"
"""The names of the limits that refused when the platform had no room: in a second, and in flight."""

_VERDICT, _RECORD, _FLIGHT, _GUARANTEE = (struct.Struct(shape) for shape in (">BqQI", ">QQIIQIQ", ">IQ", ">Q"))
_NAMES = ("rate", "quota-day", "quota-month", "concurrency")
_PLACES = ("", *_NAMES, *(f"key-{name}" for name in _NAMES), PLATFORM, PLATFORM_SLOTS)
_CODES = {place: Code.USAGE_EXCEEDED if "quota" in place else Code.RATE_LIMITED for place in _PLACES[1:]} | {"": Code.VALID}


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
    def is_far_below(self) -> bool:
        """Whether at least half of the burst is left of every rate, the extra tokens taken off."""
        return all(2 * _record(self.reply, place)[1] <= span for place, span in enumerate(self.bill.spans) if span)

    @property
    def decision(self) -> Decision:
        """The decision as the pure function gives it, made when it is asked for. The extra tokens count as spent in its standings.

        When the platform refused there is one standing more, :data:`PLATFORM` or :data:`PLATFORM_SLOTS`: what the tenant is guaranteed in a second
        or in flight, of which nothing is left.
        """
        subjects, is_in_flight = (1 if self.bill.key_limits is None else 2), bool(self.bill.lease_id)
        spent = [_Spent(self.reply, place, subjects, is_in_flight=is_in_flight) for place in range(subjects)]
        standings = [spent[rule.name.startswith("key-")].standing(rule, self.now_us) for rule in self.bill.rules]
        if self.refused_by in (PLATFORM, PLATFORM_SLOTS):
            guarantee = _GUARANTEE.unpack_from(self.reply, len(self.reply) - _GUARANTEE.size)[0] // 1_000
            reset_us = self.retry_after_us or WINDOW_US
            standings.append(
                Standing(PLATFORM, max(1, guarantee), WINDOW_US, 0, reset_us)
                if self.refused_by == PLATFORM
                else Standing(PLATFORM_SLOTS, guarantee, 0, 0, reset_us, IN_FLIGHT)
            )
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


def read_reply(bill: Bill, reply: bytes) -> Drawn:
    """Read what :data:`SCRIPT` returned to this question."""
    place, wait, now_us, extra = _VERDICT.unpack_from(reply)
    return Drawn(bill, _PLACES[place], None if wait < 0 else wait, now_us, extra, _periods(bill, reply), reply)


def _record(reply: bytes, place: int) -> tuple[int, ...]:
    return _RECORD.unpack_from(reply, _VERDICT.size + _RECORD.size * place)


def _periods(bill: Bill, reply: bytes) -> Periods:
    key, record = bill.key_limits, _record(reply, 0)
    day, month = record[3], record[5] if bill.limits.quota_per_month is not None else 0
    if key is None:
        return day, month, 0, 0
    record = _record(reply, 1)
    return day, month, record[3] if key.quota_per_day is not None else 0, record[5] if key.quota_per_month is not None else 0
