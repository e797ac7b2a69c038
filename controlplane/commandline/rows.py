"""Reading a file of customers or keys, row by row. A bad row is refused with its line, column and reason; the others go on. Pure but for the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import FieldError, InvalidInputError

MAX_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file's rows have: the columns that are known, those that every row needs, and the one in which no two may agree."""

    columns: tuple[str, ...]
    required: tuple[str, ...]
    unique: str


CUSTOMERS = Shape(
    columns=("slug", "name", "tier", "admin_email", "admin_name", "cell", "reference"),
    required=("slug", "name", "tier", "admin_email"),
    unique="slug",
)


class UnreadableFileError(InvalidInputError):
    """The file as a whole cannot be used: not there, too large, or without the columns that every row needs."""

    code = "unreadable-file"
    title = "The file cannot be read"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it starts on (from 1; an item's number in JSON), its values, and what is wrong with its form."""

    line: int
    values: Mapping[str, str] = field(default_factory=dict)
    error: FieldError | None = None


def read(path: Path, shape: Shape = CUSTOMERS) -> list[Row]:
    """Read a ``.csv`` (RFC 4180, UTF-8, header first) or ``.json`` (a list of objects) file; raises UnreadableFileError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(f"{path.name} has more than {MAX_BYTES // 1024 // 1024} MiB.")
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror}.") from None
    reader = {".csv": _csv_rows, ".json": _json_rows}.get(path.suffix.lower())
    if reader is None:
        raise UnreadableFileError(f"{path.name}: the name must end in .csv or .json.")
    return _without_repeats(reader(raw, shape), shape.unique)


def _csv_rows(raw: bytes, shape: Shape) -> Iterator[Row]:
    lines = raw.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
    reader = csv.reader((line.decode("utf-8", "surrogateescape") for line in lines), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header, shape)
        start = reader.line_num + 1
        for values in reader:
            if values and any(value.strip() for value in values):
                yield _csv_row(start, header, values, shape)
            start = reader.line_num + 1
    except csv.Error as error:
        yield Row(reader.line_num, error=FieldError("/", f"not CSV from here on: {error}"))


def _check_header(header: list[str], shape: Shape) -> None:
    missing = [name for name in shape.required if name not in header]
    unknown = [name for name in header if name not in shape.columns]
    twice = [name for name in header if header.count(name) > 1]
    for names, what in ((missing, "missing"), (unknown, "unknown"), (twice, "given twice")):
        if names:
            known = ", ".join(shape.columns)
            raise UnreadableFileError(f"Line 1: columns {what}: {', '.join(sorted(set(names)))}. Known are: {known}.")


def _csv_row(line: int, header: list[str], values: list[str], shape: Shape) -> Row:
    if len(values) != len(header):
        return Row(line, error=FieldError("/", f"{len(values)} values for {len(header)} columns"))
    return _checked(line, dict(zip(header, values, strict=True)), shape)


def _json_rows(raw: bytes, shape: Shape) -> Iterator[Row]:
    try:
        items = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"This is not JSON in UTF-8: {error}.") from None
    if not isinstance(items, list):
        raise UnreadableFileError("The file must hold a list of objects.")
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            yield Row(number, error=FieldError("/", "not an object"))
            continue
        yield _checked(number, item, shape)


def _checked(line: int, values: Mapping[str, object], shape: Shape) -> Row:
    for name, value in values.items():
        if name not in shape.columns:
            return Row(line, error=FieldError(f"/{name}", "there is no such field"))
        if not isinstance(value, str):
            return Row(line, error=FieldError(f"/{name}", "must be text"))
        if any("\ud800" <= character <= "\udfff" for character in value):
            return Row(line, error=FieldError(f"/{name}", "not UTF-8"))
        if "\x00" in value:
            return Row(line, error=FieldError(f"/{name}", "holds a NUL"))
    clean = {name: str(value).strip() for name, value in values.items()}
    for name in shape.required:
        if not clean.get(name):
            return Row(line, clean, FieldError(f"/{name}", "is required"))
    return Row(line, clean)


def _without_repeats(rows: Iterator[Row], unique: str) -> list[Row]:
    """Refuse the second of two rows that agree in a column that must not: which of them was meant is not ours to guess."""
    seen: dict[str, int] = {}
    checked = []
    for row in rows:
        value = row.values.get(unique, "").casefold()
        if row.error is None and value in seen:
            row = Row(row.line, row.values, FieldError(f"/{unique}", f"stands on line {seen[value]} already"))  # noqa: PLW2901
        elif value:
            seen.setdefault(value, row.line)
        checked.append(row)
    return checked
