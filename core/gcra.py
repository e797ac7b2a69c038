"""The product's one limiter: the generic cell rate algorithm, as pure arithmetic and as the Redis script that does the same.

Owns the arithmetic and nothing else: it neither sleeps nor knows what is limited. AWS pacing and tenants' throttles both stand on it.
The state of a limit is one number, the *theoretical arrival time* (TAT) in microseconds: when the bucket will be full again. A call of
cost ``c`` moves it ``c`` emission intervals on; a call is admitted while the TAT stays within ``burst`` intervals of now. Sources: ITU-T
I.371 (GCRA); Redis ``TIME`` is read inside the script, so callers' clocks count for nothing.

Limits known: an interval is a whole number of microseconds, rounded up, so a limit is never exceeded and one above 10,000 calls a second
may fall short of its rate by up to one microsecond a call. Numbers in Lua are doubles: TATs are exact until the year 2255.
A Redis that has lost its data hands every burst back once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MICROSECONDS = 1_000_000
MAX_BURST_SPAN_US = 400 * 86_400 * MICROSECONDS
"""How far ahead of now a TAT may lie: keeps every sum far below 2**53."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` calls a ``period_us`` microseconds, with at most ``burst`` at once (``count`` when 0).

    Raises ValueError on a count, period or burst that is not positive, or that would need more than 400 days to refill.
    """

    count: int
    period_us: int
    burst: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.period_us < 1 or self.burst < 0:
            raise ValueError(f"a limit needs a positive count and period: {self}")
        if self.span_us > MAX_BURST_SPAN_US:
            raise ValueError(f"a limit may take at most 400 days to refill: {self}")

    @classmethod
    def per_second(cls, rate: float, *, burst: int = 1) -> Limit:
        """``rate`` calls a second, which may be below one: 0.1 is one call in ten seconds."""
        return cls(count=1, period_us=math.ceil(MICROSECONDS / rate), burst=burst)

    @property
    def interval_us(self) -> int:
        """Microseconds that one call costs, rounded up."""
        return -(-self.period_us // self.count)

    @property
    def span_us(self) -> int:
        """Microseconds of burst: how far the TAT may run ahead of now."""
        return (self.burst or self.count) * self.interval_us


@dataclass(frozen=True, slots=True)
class Decision:
    """What the limiter says to one call. All times are microseconds, counted from ``now_us``, the limiter's own clock.

    ``wait_us`` is above zero only for a call that was admitted ahead of its time because the caller offered patience: its slot is
    reserved and the caller must wait that long before it acts. ``retry_after_us`` is None when the call was admitted, and -1 when it can
    never be (its cost is above the burst). ``remaining`` is how many calls of cost one would be admitted now.
    """

    allowed: bool
    remaining: int
    retry_after_us: int | None
    reset_after_us: int
    wait_us: int
    now_us: int


def look(tat_us: int, now_us: int, limit: Limit) -> tuple[int, int]:
    """Give how many calls of cost one would be admitted now, and in how many microseconds the whole burst is back. Charges nothing."""
    interval, span = limit.interval_us, limit.span_us
    start = min(max(tat_us, now_us), now_us + span)
    return (now_us + span - start) // interval, start - now_us


def decide(tat_us: int | None, now_us: int, limit: Limit, *, cost: int = 1, patience_us: int = 0) -> tuple[Decision, int]:
    """Decide one call against a stored TAT (None when there is none) and give the decision with the TAT to store.

    Guarantees that in any span of W microseconds at most ``burst + W / interval`` cost is admitted (with the reserved slots counted at
    the time they are reserved *for*), and that a refused call leaves the state as it was. A TAT further ahead than the limit allows is
    clamped: a lowered limit, or a clock that ran back, delays callers by one burst at most. All callers of one key must offer
    the same patience, or the clamp gives reserved slots back. Raises ValueError on a negative cost.
    """
    if cost < 0 or patience_us < 0:
        raise ValueError("cost and patience cannot be negative")
    interval, span = limit.interval_us, limit.span_us
    start = min(max(tat_us or 0, now_us), now_us + span + patience_us)
    advanced = start + cost * interval
    wait = max(0, advanced - span - now_us)
    allowed = cost * interval <= span and wait <= patience_us
    stored = advanced if allowed else start
    refusal = None if allowed else (-1 if cost * interval > span else wait)
    return (
        Decision(
            allowed=allowed,
            remaining=max(0, now_us + span - stored) // interval,
            retry_after_us=refusal,
            reset_after_us=stored - now_us,
            wait_us=wait if allowed else 0,
            now_us=now_us,
        ),
        stored,
    )


LUA = """
-- KEYS[1] the limit's key.  ARGV: interval_us, span_us, cost, patience_us.
-- Returns {allowed, remaining, retry_after_us (-1 never, -2 admitted), reset_after_us, wait_us, now_us}.
local interval, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local increment, patience = tonumber(ARGV[3]) * interval, tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local kept = tonumber(redis.call('GET', KEYS[1]) or 0)
local start = math.min(math.max(kept, now), now + span + patience)
local advanced = start + increment
local wait = math.max(0, advanced - span - now)
local allowed = increment <= span and wait <= patience
local stored = start
local retry = wait
if allowed then
  stored = advanced
  retry = -2
  if increment > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', stored), 'PX', math.ceil((stored - now) / 1000) + 1)
  end
else
  if increment > span then retry = -1 end
  if kept > start then
    redis.call('SET', KEYS[1], string.format('%.0f', start), 'PX', math.ceil((start - now) / 1000) + 1)
  end
end
local remaining = math.floor(math.max(0, now + span - stored) / interval)
return {allowed and 1 or 0, remaining, retry, stored - now, allowed and wait or 0, now}
"""
"""The same decision inside Redis, atomic. A refusal writes nothing but a clamped TAT, without which whoever waits as told after a lowered limit
would be refused again. The key expires when the bucket is full again, so quiet limits cost no memory."""


def script_arguments(limit: Limit, *, cost: int = 1, patience_us: int = 0) -> tuple[int, int, int, int]:
    """Give ARGV for :data:`LUA`."""
    if cost < 0 or patience_us < 0:
        raise ValueError("cost and patience cannot be negative")
    return (limit.interval_us, limit.span_us, cost, patience_us)


def read_reply(reply: Sequence[int]) -> Decision:
    """Read what :data:`LUA` returned."""
    allowed, remaining, retry, reset, wait, now = (int(number) for number in reply)
    return Decision(bool(allowed), remaining, None if retry == -2 else retry, reset, wait, now)
