"""Which stages Secrets Manager should have on which versions of a key, and the calls that lead there. Pure.

The stages are those of Secrets Manager's own rotation: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
STAGE_OF = {"current": CURRENT, "pending": PENDING, "previous": PREVIOUS}

Seen = Mapping[str, tuple[str, ...]]
"""What was read back: the stages of each version id."""


@dataclass(frozen=True, slots=True)
class Move:
    """One call: move ``stage`` onto ``to``, off ``off``; one of the two may be empty."""

    stage: str
    to: str
    off: str


def token_of(version_id: str) -> str:
    """The client request token of a version, which Secrets Manager makes its version id: 32 to 64 characters, the same at every repetition."""
    return f"key-version-{version_id}"


def wanted_stages(versions: Iterable[tuple[str, str]]) -> dict[str, str]:
    """From (id, stage) of a key's versions: which version id should bear which stage. A retired one bears none."""
    return {STAGE_OF[stage]: token_of(version_id) for version_id, stage in versions if stage in STAGE_OF}


def is_lost(seen: Seen, wanted: Mapping[str, str]) -> bool:
    """Say whether the version that should be current is not there at all: its text is known to nobody, so nothing can put it back."""
    return CURRENT in wanted and wanted[CURRENT] not in seen


def moves(seen: Seen, wanted: Mapping[str, str]) -> list[Move]:
    """Give the calls, in order, that lead from what was read back to what should be; empty when it is so.

    AWSCURRENT goes first and in one call: there is no moment without a current version, and AWS itself leaves AWSPREVIOUS on the version
    that it left. AWSPENDING goes last, so that a crash between the calls leaves the version findable. A stage that is wanted on a version
    that is not there is left out: a pending one that has not been written yet, or a previous one whose text was never ours.
    """
    found: list[Move] = []
    bearer = _bearer(seen, CURRENT)
    current = wanted.get(CURRENT, "")
    after = dict(seen)
    if current and bearer != current and current in seen:
        found.append(Move(CURRENT, current, bearer))
        after = _after_promotion(after, current, bearer)
    for stage in (PREVIOUS, PENDING):
        target = wanted.get(stage, "")
        holders = [version for version, stages in after.items() if stage in stages and version != target]
        if target in after and stage not in after[target] and stage == PREVIOUS:
            found.append(Move(stage, target, holders[0] if holders else ""))
            holders = holders[1:]
        found += [Move(stage, "", holder) for holder in holders]
    return found


def _bearer(seen: Seen, stage: str) -> str:
    return next((version for version, stages in seen.items() if stage in stages), "")


def _after_promotion(seen: dict[str, tuple[str, ...]], current: str, left: str) -> dict[str, tuple[str, ...]]:
    """What AWS makes of a move of AWSCURRENT: AWSPREVIOUS goes to the version that it left, off any other."""
    after = {version: tuple(stage for stage in stages if stage not in (CURRENT, PREVIOUS)) for version, stages in seen.items()}
    after[current] = (*after[current], CURRENT)
    if left:
        after[left] = (*after[left], PREVIOUS)
    return after
