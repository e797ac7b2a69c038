"""Writing what became of each row of a file, or of each key of a rotation, for a spreadsheet or the next program."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_results(path: Path, kind: type[DataclassInstance], outcomes: Iterable[DataclassInstance]) -> None:
    """Write a CSV file with one line an outcome; its columns are the fields of ``kind``."""
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, [field.name for field in fields(kind)])
        writer.writeheader()
        writer.writerows(_plain(outcome) for outcome in outcomes)


def _plain(outcome: DataclassInstance) -> dict[str, object]:
    """Keep a spreadsheet from running what a customer typed (https://owasp.org/www-community/attacks/CSV_Injection)."""
    values = asdict(outcome)
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
        for name, value in values.items()
    }
