"""How long a version lives and when it is accepted: arithmetic on times. Pure.

Three ends bind a version, and the earliest holds: its own ``expires_at`` (fixed at birth from the tier's maximum age, the key's end and
the end of whoever made it), the end of its overlap once it has a successor, and its retirement. None of these functions can give a later
end than it was given: that is what "nothing extends a version's life" rests on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

REMIND_BEFORE_DAYS = (30, 7, 1)
SHORTEST_LIFE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Ends:
    """What the acceptance of one version hangs on."""

    stage: str
    expires_at: datetime
    retires_at: datetime | None


def expiry_of(now: datetime, *, max_age: timedelta, key_ends_at: datetime | None, maker_ends_at: datetime | None) -> datetime:
    """When a version that is made now will expire: the earliest of all that binds it."""
    bounds = [now + max_age, key_ends_at, maker_ends_at]
    return min(bound for bound in bounds if bound is not None)


def overlap_of(asked: timedelta | None, *, longest: timedelta, left: timedelta) -> timedelta:
    """How long a predecessor goes on: what was asked, the tier's maximum and what is left of its own life, whichever is least.

    None asks for the tier's maximum; zero means at once. Never negative.
    """
    wanted = longest if asked is None else asked
    return max(timedelta(0), min(wanted, longest, left))


def accepts(ends: Ends, now: datetime) -> bool:
    """Say whether a version verifies at ``now``."""
    if ends.stage == "current":
        return now < ends.expires_at
    if ends.stage == "previous":
        return now < ends.expires_at and (ends.retires_at is None or now < ends.retires_at)
    return False


def is_quiet(
    now: datetime,
    *,
    quiet: timedelta,
    promoted_at: datetime | None,
    successor_used_at: datetime | None,
    predecessor_used_at: datetime | None,
) -> bool:
    """Say whether a predecessor may go by evidence: its successor has been used, and it has not been for the tier's time.

    Quiet is counted from the successor's promotion at the earliest: a version that nobody happened to use before is not yet evidence.
    """
    if successor_used_at is None or promoted_at is None:
        return False
    return now - max(promoted_at, predecessor_used_at or promoted_at) >= quiet


def due_reminder(now: datetime, expires_at: datetime, reminded_days: int | None) -> int | None:
    """The reminder that is owed now (30, 7 or 1 days before expiry), or None. Of several that were missed, only the nearest counts."""
    left = expires_at - now
    if left <= timedelta(0):
        return None
    reached = [days for days in REMIND_BEFORE_DAYS if left <= timedelta(days=days)]
    if not reached or (reminded_days is not None and reminded_days <= min(reached)):
        return None
    return min(reached)


def next_rotation(
    issued_at: datetime, *, every_days: int | None, expires_at: datetime, key_ends_at: datetime | None, overlap: timedelta
) -> datetime | None:
    """When a scheduled rotation is due: after so many days, and early enough that the overlap fits into what is left of the version.

    A version that ends with its key is not rotated early: its successor would end then as well, and be due for rotation at its birth.
    """
    if every_days is None:
        return None
    due = issued_at + timedelta(days=every_days)
    if key_ends_at is not None and key_ends_at <= expires_at:
        return due
    return max(issued_at, min(due, expires_at - overlap))
