"""A decision as HTTP headers: the IETF's draft, and the older names beside it. Pure.

Sources: draft-ietf-httpapi-ratelimit-headers-10 (``RateLimit-Policy``, ``RateLimit``, ``qu``); RFC 9651 (strings and whole numbers of
structured fields); RFC 9110, section 10.2.3 (``Retry-After`` in seconds). ``X-RateLimit-*`` has no standard: limit and remaining of the
tightest limit, and its reset as seconds since 1970, the way GitHub gives them.

Times are rounded up to whole seconds, so that whoever waits as told is never early.
"""

from __future__ import annotations

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
    headers = [
        ("RateLimit-Policy", ", ".join(_policy(standing) for standing in decision.standings)),
        ("RateLimit", ", ".join(_standing(standing) for standing in decision.standings)),
        ("X-RateLimit-Limit", _number(tightest.quota)),
        ("X-RateLimit-Remaining", _number(tightest.remaining)),
        ("X-RateLimit-Reset", _number(_seconds(decision.now_us + tightest.reset_after_us))),
    ]
    retry_after = retry_after_seconds(decision)
    if retry_after is not None:
        headers.append(("Retry-After", _number(retry_after)))
    return headers


def template_of(decision: Decision) -> tuple[bytes, tuple[int, ...]]:
    """Give the same headers as lines, each ended by CRLF, with ``%d`` for what remains, and what remains: first of each limit, then of the tightest.

    For whoever holds tokens of this decision and answers many requests under it: ``template % numbers`` is what they cost.
    """
    texts = dict(headers_of(decision))
    if texts:
        texts["RateLimit"] = ", ".join(_standing(standing, "%d") for standing in decision.standings)
        texts["X-RateLimit-Remaining"] = "%d"
    tightest = decision.tightest
    shown = [*decision.standings, tightest] if tightest is not None else []
    lines = "".join(f"{name}: {text}\r\n" for name, text in texts.items())
    return lines.encode("ascii"), tuple(min(standing.remaining, MOST - ROOM) for standing in shown)


def retry_after_seconds(decision: Decision) -> int | None:
    """Whole seconds to wait before asking again, at least 1; None for an admitted request, and where waiting will never help."""
    if decision.is_admitted or decision.retry_after_us is None:
        return None
    return max(1, _seconds(decision.retry_after_us))


def _policy(standing: Standing) -> str:
    unit = "" if standing.unit == REQUESTS else f';qu="{standing.unit}"'
    window = f";w={_number(_seconds(standing.window_us))}" if standing.window_us else ""
    return f'"{standing.name}";q={_number(standing.quota)}{unit}{window}'


def _standing(standing: Standing, remaining: str = "") -> str:
    remaining = remaining or _number(standing.remaining)
    return f'"{standing.name}";r={remaining};t={_number(_seconds(standing.reset_after_us))}'


def _seconds(microseconds: int) -> int:
    return -(-microseconds // SECOND_US)


def _number(value: int) -> str:
    return str(min(max(value, 0), MOST))
