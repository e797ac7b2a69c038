"""What one limit says about one request, before anybody knows what the others say. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

State = TypeVar("State")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")

REQUESTS, IN_FLIGHT = "requests", "concurrent-requests"
"""What a limit counts, in the words of the IETF's ``qu`` parameter."""


@dataclass(frozen=True, slots=True)
class Judgement(Generic[State]):
    """``spent`` is the state when the request is admitted, ``kept`` when it is not, by this limit or by another.

    ``kept`` takes nothing for the request, but is put right for the present time and limit, so it is worth storing. ``retry_after_us`` is
    0 when this limit admits, and None when it never will: the cost is more than the whole limit.
    """

    allowed: bool
    retry_after_us: int | None
    kept: State
    spent: State


class Standing(NamedTuple):
    """How a limit stands after the decision: ``remaining`` of ``quota`` within a window, all of it back after ``reset_after_us``.

    ``quota`` and ``remaining`` are counted in cost, or in requests in flight where ``unit`` says so. ``window_us`` is 0 for those.
    """

    name: str
    quota: int
    window_us: int
    remaining: int
    reset_after_us: int
    unit: str = REQUESTS


def check_name(name: str) -> None:
    """Raise ValueError unless the name can stand in a header and in a metric's label: lower-case letters, digits and hyphens."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a limit's name: {name!r}")
