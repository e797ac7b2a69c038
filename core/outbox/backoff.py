"""How long to wait after a failed delivery. Pure, but for the jitter that the caller draws.

5 s, doubling, at most an hour: with 16 attempts the last comes about six and a half hours after the first. Half of each wait is
fixed and half is drawn, so that a thousand tenants whose consumer came back do not all call it in the same second.
"""

from __future__ import annotations

from datetime import timedelta

BASE_SECONDS = 5.0
CEILING_SECONDS = 3600.0


def wait_after(attempts: int, draw: float) -> timedelta:
    """The wait after this many failed attempts (1 or more); ``draw`` is uniform in [0, 1)."""
    if attempts < 1:
        raise ValueError("nothing has failed yet")
    full = min(CEILING_SECONDS, BASE_SECONDS * 2.0 ** min(attempts - 1, 30))
    return timedelta(seconds=full * (0.5 + 0.5 * draw))
