"""How many of a minute's requests a rate admits, without looking at each: GCRA for many alike at equal distances. Pure.

Everything is whole numbers in parts of a microsecond, of which a microsecond has as many as the minute has requests: so the distance between two
requests is 60,000,000 whatever their number, and nothing is rounded. ``owed`` is the debt of :mod:`core.gcra`, its TAT less the present.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_US = 60_000_000
GAP = MINUTE_US
"""Between two requests, in parts."""
CYCLES = 256
"""Where a burst is smaller than two requests, so many turns of admitting and refusing are followed, and the minute is taken to go on like them."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A minute's requests: how many, what each adds to the debt, and how far the debt may go."""

    requests: int
    cost: int
    span: int


@dataclass(frozen=True, slots=True)
class Passed:
    """``admitted`` of the first ``came`` requests, after which no more were let to the rate; ``owed`` when the minute is over."""

    came: int
    admitted: int
    owed: int


def at_once(stream: Stream, owed: int, room: int) -> Passed:
    """Let all come as the minute begins, until ``room`` are admitted. What costs more than the burst is refused by the rate, whatever the room."""
    if stream.cost > stream.span:
        return Passed(stream.requests, 0, max(0, owed - stream.requests * GAP))
    admitted = min(stream.requests, max(0, stream.span - owed) // stream.cost)
    came = stream.requests
    if admitted >= room:
        came = admitted = room
    return Passed(came, admitted, max(0, owed + admitted * stream.cost - stream.requests * GAP))


def evenly(stream: Stream, owed: int, room: int) -> Passed:
    """Let them come at equal distances, the first as the minute begins, until ``room`` are admitted."""
    admitted, after = _first(stream, owed, stream.requests)
    if admitted < room or stream.cost > stream.span:
        return Passed(stream.requests, admitted, after)
    low, high = room, stream.requests  # the least number of requests of which so many are admitted
    while low < high:
        middle = (low + high) // 2
        if _first(stream, owed, middle)[0] >= room:
            high = middle
        else:
            low = middle + 1
    admitted, after = _first(stream, owed, low)
    return Passed(low, admitted, max(0, after - (stream.requests - low) * GAP))


def _first(stream: Stream, owed: int, number: int) -> tuple[int, int]:
    """How many of the first ``number`` are admitted, and what is owed when the next one would come."""
    most = stream.span - stream.cost  # what may be owed when a request comes that is to be admitted
    if most < 0:
        return 0, max(0, owed - number * GAP)
    refused = min(number, _waits(owed, most))
    owed, left = max(0, owed - refused * GAP), number - refused
    if stream.cost <= GAP:
        return left, max(0, owed - left * (GAP - stream.cost))  # each is paid for before the next one comes
    if most >= GAP and left:
        # The debt never runs out, so what is paid in is what was admitted and what is owed more.
        admitted = min(left, (most - owed + (left - 1) * GAP) // stream.cost + 1)
        return admitted, owed + admitted * stream.cost - left * GAP
    return _by_turns(stream, owed, left)


def _by_turns(stream: Stream, owed: int, number: int) -> tuple[int, int]:
    """The same where time is wasted between two requests: as many as fit are admitted, as many as it takes refused, and so on."""
    most, more = stream.span - stream.cost, stream.cost - GAP
    admitted, left = 0, number
    for _ in range(CYCLES):
        if not left:
            return admitted, owed
        fit = min(left, (most - owed) // more + 1)
        admitted, left, owed = admitted + fit, left - fit, owed + fit * more
        refused = min(left, _waits(owed, most))
        left, owed = left - refused, max(0, owed - refused * GAP)
    return admitted + left * admitted // (number - left), owed


def _waits(owed: int, most: int) -> int:
    """How many requests go by until no more than ``most`` is owed."""
    return max(0, -(-(owed - most) // GAP))
