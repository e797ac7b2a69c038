"""What can come of a step, and when a failed one is worth another try. Pure but for the jitter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from core.errors import DomainError

MAX_FAILURES = 8
BASE_SECONDS = 1.0
CEILING_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Done:
    """The step's resource was read back as promised (or as gone)."""

    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Later:
    """The step goes on after ``seconds``: AWS is still at it, or (with an error code) a retry is due."""

    seconds: float
    why: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    error_code: str = ""
    error_detail: str = ""

    @property
    def delay(self) -> timedelta:
        """``seconds`` as a timedelta."""
        return timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Failed:
    """No retry will heal it by itself: an operator must look."""

    error_code: str
    error_detail: str


Outcome = Done | Later | Failed


def backoff_seconds(failures: int) -> float:
    """Give the pause before retry number ``failures`` + 1: exponential from 1 s, at most 120 s, with full jitter in its upper half.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ; half of it is kept fixed, so that a retry is never at once.
    """
    whole: float = min(CEILING_SECONDS, BASE_SECONDS * 2.0**failures)
    return whole / 2 + random.uniform(0, whole / 2)  # noqa: S311  (spreads load; nothing secret hangs on it)


def after_error(error: DomainError, *, failures: int) -> Outcome:
    """Decide between another try and failure. Eight tries over one to two minutes; a pause that our own pacing names is honoured."""
    code = str(getattr(error, "aws_code", "") or error.code)
    pause = getattr(error, "retry_after_seconds", None)
    if pause is not None:
        # Held back by a call budget before AWS was asked: nothing failed, so nothing counts against the retries.
        return Later(float(pause), "held back by AWS's call budget")
    if not error.retryable or failures + 1 >= MAX_FAILURES:
        return Failed(code, error.detail)
    return Later(backoff_seconds(failures), f"retry after {code}", error_code=code, error_detail=error.detail)
