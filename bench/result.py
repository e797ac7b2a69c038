"""What a measurement gives: tables for people, the goals that it was held to, and how many times things were done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that should not exceed ``limit``. ``note`` says what else one must know to read it."""

    what: str
    measured: float
    limit: float
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.measured <= self.limit


@dataclass(slots=True)
class Table:
    """Rows under a heading; numbers are already text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """One measurement on one database: ``notes`` are sentences that say how it was done."""

    name: str
    title: str
    database: str
    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Result:
        values = json.loads(path.read_text())
        values["tables"] = [
            Table(table["title"], tuple(table["columns"]), list(map(tuple, table["rows"]))) for table in values["tables"]
        ]
        values["goals"] = [Goal(**goal) for goal in values["goals"]]
        return cls(**values)
