"""A decision as HTTP headers: the IETF's draft, and the older names beside it. Pure.

Sources: draft-ietf-httpapi-ratelimit-headers-10 (``RateLimit-Policy``, ``RateLimit``, ``qu``); RFC 9651 (strings and whole numbers of
structured fields); RFC 9110, section 10.2.3 (``Retry-After`` in seconds). ``X-RateLimit-*`` has no standard: limit and remaining of the
tightest limit, and its reset as seconds since 1970, the way GitHub gives them.

Times are rounded up to whole seconds, so that whoever waits as told is never early.
"""

from __future__ import annotations

from functools import lru_cache

from tenants.limits.decision import Decision
from tenants.limits.judgement import REQUESTS, Standing

SECOND_US = 1_000_000
MOST = 999_999_999_999_999
"""The largest whole number of a structured field: fifteen digits."""
ROOM = 1_000_000
"""How much may be added to the numbers of a template."""


def headers_of(decision: Decision) -> list[tuple[str, str]]:
    """Give the headers of an admitted or a refused answer; none where no limit holds.

    ``Retry-After`` is on refusals alone, at least 1, and not there when waiting will never help.
    """
    tightest = decision.tightest
    if tightest is None:
        return []
    lines = _lines(decision, tightest) % tuple([_number(number) for number in _remaining(decision, tightest)])
    return [(name, text) for name, _, text in (line.partition(": ") for line in lines.split("\r\n")[:-1])]


def template_of(decision: Decision) -> tuple[bytes, tuple[int, ...]]:
    """Give the same headers as lines, each ended by CRLF, with ``%d`` for what remains, and what remains: first of each limit, then of the tightest.

    For whoever holds tokens of this decision and answers many requests under it: ``template % numbers`` is what they cost.
    """
    tightest = decision.tightest
    if tightest is None:
        return b"", ()
    numbers = tuple([min(number, MOST - ROOM) for number in _remaining(decision, tightest)])
    return _lines(decision, tightest).encode("ascii"), numbers


def retry_after_seconds(decision: Decision) -> int | None:
    """Whole seconds to wait before asking again, at least 1; None for an admitted request, and where waiting will never help."""
    if decision.is_admitted or decision.retry_after_us is None:
        return None
    return max(1, _seconds(decision.retry_after_us))


def _remaining(decision: Decision, tightest: Standing) -> list[int]:
    return [*[standing.remaining for standing in decision.standings], tightest.remaining]


def _lines(decision: Decision, tightest: Standing) -> str:
    """The lines, with ``%d`` for what remains."""
    standings, retry_after = decision.standings, retry_after_seconds(decision)
    limits = tuple([(one.name, one.quota, one.unit, one.window_us) for one in standings])
    times = [_number(_seconds(one.reset_after_us)) for one in standings]
    times.append(_number(_seconds(decision.now_us + tightest.reset_after_us)))
    if retry_after is not None:
        times.append(_number(retry_after))
    return _skeleton(limits, standings.index(tightest), retry_after is not None) % tuple(times)


@lru_cache(maxsize=4_096)  # few limits are sold, and many requests made under them
def _skeleton(limits: tuple[tuple[str, int, str, int], ...], tightest: int, is_to_wait: bool) -> str:
    """The lines, with ``%d`` for times and ``%%d`` for what remains. A limit is its name, quota, unit and window."""
    rates = [f'"{name}";r=%%d;t=%d' for name, _, _, _ in limits]
    lines = [
        f"RateLimit-Policy: {', '.join([_policy(*limit) for limit in limits])}\r\n",
        f"RateLimit: {', '.join(rates)}\r\n",
        f"X-RateLimit-Limit: {_number(limits[tightest][1])}\r\n",
        "X-RateLimit-Remaining: %%d\r\n",
        "X-RateLimit-Reset: %d\r\n",
        "Retry-After: %d\r\n" if is_to_wait else "",
    ]
    return "".join(lines)


def _policy(name: str, quota: int, unit: str, window_us: int) -> str:
    counted = "" if unit == REQUESTS else f';qu="{unit}"'
    window = f";w={_number(_seconds(window_us))}" if window_us else ""
    return f'"{name}";q={_number(quota)}{counted}{window}'


def _seconds(microseconds: int) -> int:
    return -(-microseconds // SECOND_US)


def _number(value: int) -> int:
    return min(max(value, 0), MOST)
