"""What the verifier can find: a fault in a chain, and the verdict over a whole run. Pure."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any


class FaultKind(enum.StrEnum):
    """What is wrong with the first bad entry."""

    CHANGED = "changed"  # a column no longer says what was recorded or sealed
    MISSING = "missing"  # an entry between two others is gone
    REORDERED = "reordered"  # a genuine entry stands in another's place
    INSERTED = "inserted"  # an entry that this product did not write, or did not place there
    TRUNCATED = "truncated"  # the end of the chain is gone
    HEAD = "head"  # the head row itself is gone or says something else than the chain
    ANCHOR = "anchor"  # the chain is sound in itself and is not the one that was anchored


@dataclass(frozen=True, slots=True)
class Fault:
    """The first bad entry: its number in the chain (None while it is pending), its id (empty when it is gone), and what is wrong in words."""

    sequence: int | None
    id: str
    kind: FaultKind
    explanation: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run of the verifier found.

    ``chain`` is ``*`` or a tenant's id. ``checked`` counts sealed entries. ``pending`` counts entries that wait for their seal;
    their own codes were checked. ``anchors`` counts anchors that were compared. ``unguarded`` names database triggers that should
    be there and are not, and ``notes`` says in words what does not break the chain and still wants an operator's eye.
    """

    chain: str
    checked: int
    pending: int
    head_sequence: int
    head_hash: str
    anchors: int = 0
    fault: Fault | None = None
    unguarded: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with the chain itself."""
        return self.fault is None

    def as_dict(self) -> dict[str, Any]:
        """The verdict for JSON."""
        return {"ok": self.ok, **asdict(self)}
