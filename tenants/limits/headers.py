"""A decision as HTTP headers: the IETF's draft, and the older names beside it. Pure.

Sources: draft-ietf-httpapi-ratelimit-headers-10 (``RateLimit-Policy``, ``RateLimit``, ``qu``); RFC 9651 (strings and whole numbers of
structured fields); RFC 9110, section 10.2.3 (``Retry-After`` in seconds). ``X-RateLimit-*`` has no standard: limit and remaining of the
tightest limit, and its reset as seconds since 1970, the way GitHub gives them.

Times are rounded up to whole seconds, so that whoever waits as told is never early.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    return _headers(
        decision, tightest, [_number(standing.remaining) for standing in decision.standings], _number(tightest.remaining)
    )


def template_of(decision: Decision) -> tuple[bytes, tuple[int, ...]]:
    """Give the same headers as lines, each ended by CRLF, with ``%d`` for what remains, and what remains: first of each limit, then of the tightest.

    For whoever holds tokens of this decision and answers many requests under it: ``template % numbers`` is what they cost.
    """
    tightest = decision.tightest
    if tightest is None:
        return b"", ()
    headers = _headers(decision, tightest, ["%d"] * len(decision.standings), "%d")
    lines = "".join([f"{name}: {text}\r\n" for name, text in headers])
    remaining = [*[standing.remaining for standing in decision.standings], tightest.remaining]
    return lines.encode("ascii"), tuple([min(number, MOST - ROOM) for number in remaining])


def retry_after_seconds(decision: Decision) -> int | None:
    """Whole seconds to wait before asking again, at least 1; None for an admitted request, and where waiting will never help."""
    if decision.is_admitted or decision.retry_after_us is None:
        return None
    return max(1, _seconds(decision.retry_after_us))


def _headers(decision: Decision, tightest: Standing, remaining: Sequence[str], least: str) -> list[tuple[str, str]]:
    """The headers, with these texts for what remains of each limit and of the tightest."""
    standings = decision.standings
    rates = [
        f'"{one.name}";r={text};t={_number(_seconds(one.reset_after_us))}' for one, text in zip(standings, remaining, strict=True)
    ]
    headers = [
        ("RateLimit-Policy", ", ".join([_policy(one.name, one.quota, one.unit, one.window_us) for one in standings])),
        ("RateLimit", ", ".join(rates)),
        ("X-RateLimit-Limit", _number(tightest.quota)),
        ("X-RateLimit-Remaining", least),
        ("X-RateLimit-Reset", _number(_seconds(decision.now_us + tightest.reset_after_us))),
    ]
    retry_after = retry_after_seconds(decision)
    if retry_after is not None:
        headers.append(("Retry-After", _number(retry_after)))
    return headers


@lru_cache(maxsize=4_096)  # few limits are sold, and many requests made under them
def _policy(name: str, quota: int, unit: str, window_us: int) -> str:
    counted = "" if unit == REQUESTS else f';qu="{unit}"'
    window = f";w={_number(_seconds(window_us))}" if window_us else ""
    return f'"{name}";q={_number(quota)}{counted}{window}'


def _seconds(microseconds: int) -> int:
    return -(-microseconds // SECOND_US)


def _number(value: int) -> str:
    return str(min(max(value, 0), MOST))
