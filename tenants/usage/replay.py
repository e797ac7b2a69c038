"""What if: a tenant's recorded minutes against proposed limits, minute by minute, as :mod:`tenants.limits` would have decided them. Pure.

Of a minute only the number of requests and their cost are known. So each is replayed twice: as if its requests had come *evenly* over it, each at the
average cost, which is about the mildest; and as if they had come *at once* as it began, which is about the worst. What would have been refused
lies between the two but for bursts that straddle minutes, which can be worse than either. Requests in flight are not recorded and not replayed.
Callers who were refused and came back are in the record as often as they came. It begins with a whole burst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tenants.limits.decision import Limit
from tenants.limits.quotas import Quota, QuotaState
from tenants.limits.rates import Rate
from tenants.usage import spacing
from tenants.usage.spacing import MINUTE_US, Stream


@dataclass(frozen=True, slots=True)
class Minute:
    """What a tenant asked for in one minute, admitted or not: requests, and what they cost together. ``begins_us`` is since 1970."""

    begins_us: int
    requests: int
    cost: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """One minute: its requests, and those that would have been refused, by the limit that refuses them."""

    begins_us: int
    requests: int
    evenly: Mapping[str, int] = field(default_factory=dict)
    at_once: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused_evenly(self) -> int:
        """How many, if they had come evenly."""
        return sum(self.evenly.values())

    @property
    def refused_at_once(self) -> int:
        """How many, if they had come at once."""
        return sum(self.at_once.values())


def replay(minutes: Iterable[Minute], rules: Sequence[Limit], *, used: Mapping[str, QuotaState] | None = None) -> list[Replayed]:
    """Replay minutes, the oldest first, against limits (:func:`tenants.limits.effective.rules_of`); ``used`` is what quotas begin with, by name.

    Takes time by the number of minutes, not of requests. Raises ValueError for minutes that are not in order.
    """
    evenly, at_once, replayed, last = _Run(rules, used or {}), _Run(rules, used or {}), [], -1
    for minute in minutes:
        if minute.begins_us <= last:
            raise ValueError("minutes are replayed in their order, each once")
        last = minute.begins_us
        refused = evenly.pass_minute(minute, evenly=True), at_once.pass_minute(minute, evenly=False)
        replayed.append(Replayed(minute.begins_us, minute.requests, *refused))
    return replayed


class _Run:
    """The limits' states on the way through the minutes."""

    def __init__(self, rules: Sequence[Limit], used: Mapping[str, QuotaState]) -> None:
        self._rates = [rule for rule in rules if isinstance(rule, Rate)]
        self._quotas = [rule for rule in rules if isinstance(rule, Quota)]
        if len(self._rates) > 1:
            raise ValueError("one rate is replayed at a time")
        self._used = dict(used)
        self._owed_us, self._at_us = 0, 0

    def pass_minute(self, minute: Minute, *, evenly: bool) -> dict[str, int]:
        """Let a minute's requests come; gives the refused by limit."""
        self._owed_us = max(0, self._owed_us - (minute.begins_us - self._at_us))
        self._at_us = minute.begins_us + MINUTE_US
        if not minute.requests or not minute.cost:  # a cost of nothing is never refused
            self._owed_us = max(0, self._owed_us - MINUTE_US)
            return {}
        room, quota = self._room(minute)
        came, admitted = self._ask_rate(minute, room, evenly=evenly)
        for rule in self._quotas:
            state = self._used[rule.name]
            self._used[rule.name] = QuotaState(state.period, state.used - (-admitted * minute.cost // minute.requests))
        by_rate, by_quota = came - admitted, minute.requests - came
        refused = {self._rates[0].name: by_rate} if by_rate else {}
        return {**refused, quota: by_quota} if by_quota else refused

    def _room(self, minute: Minute) -> tuple[int, str]:
        """How many requests the quotas have room for, and the one with the least; of several, that which the decision would name."""
        least: tuple[int, bool, int] | None = None
        name = ""
        for rule in self._quotas:
            kept = self._used[rule.name] = rule.judge(self._used.get(rule.name), minute.begins_us, cost=0).kept
            left = max(0, rule.allowance - kept.used) * minute.requests // minute.cost
            never = minute.cost > rule.allowance * minute.requests
            # The decision names what goes on longest: what never ends, then what ends last.
            one = (min(left, minute.requests), not never, -rule.period.ends_us(kept.period))
            if least is None or one < least:
                least, name = one, rule.name
        return (minute.requests, "") if least is None else (least[0], name)

    def _ask_rate(self, minute: Minute, room: int, *, evenly: bool) -> tuple[int, int]:
        """Let requests come until as many are admitted as there is room for; gives how many came until then, and how many were admitted."""
        if not self._rates:
            return room, room
        limit = self._rates[0].limit
        stream = Stream(minute.requests, minute.cost * limit.interval_us, limit.span_us * minute.requests)
        pass_ = spacing.evenly if evenly else spacing.at_once
        passed = pass_(stream, self._owed_us * minute.requests, room)
        self._owed_us = -(-passed.owed // minute.requests)
        return passed.came, passed.admitted
