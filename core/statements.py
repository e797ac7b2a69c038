"""The writes that hot paths make every time, put together once a process instead of once a call.

Their text never changes, and by the ORM putting it together costs three times what the database takes to carry it out: with five at
every step that was a quarter of the engine's own time (``bench.share``), and more of that of issuing a key (``bench.keys``). Values go
through the model's fields, as the ORM's do, so both databases get what they expect. Signals are not sent; nobody may listen to these models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

ROWS = 2_000
"""How many rows a statement writes at most: with eight columns it stays below SQLite's 32,766 values."""


class Update:
    """An UPDATE of one model's rows, found by the equality of ``where`` fields (names as in the model, ``_id`` for foreign keys)."""

    def __init__(self, model: type[models.Model], *where: str) -> None:
        self._model = model
        self._where = [_field(model, name) for name in where]
        self._made: dict[tuple[str, ...], tuple[str, list[models.Field[Any, Any]]]] = {}

    def __call__(self, *where: Any, **values: Any) -> int:
        """Set ``values`` (plain ones, no expressions) where the fields equal ``where``, in their order; gives the number of rows changed."""
        names = tuple(values)
        statement, fields = self._made.get(names) or self._make(names)
        given = (*values.values(), *where)
        with connection.cursor() as cursor:
            cursor.execute(
                statement, [field.get_db_prep_save(value, connection) for field, value in zip(fields, given, strict=True)]
            )
            return int(cursor.rowcount)

    def _make(self, names: Sequence[str]) -> tuple[str, list[models.Field[Any, Any]]]:
        fields = [_field(self._model, name) for name in names]
        quote = connection.ops.quote_name
        sets = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
        where = " AND ".join(f"{quote(str(field.column))} = %s" for field in self._where)
        statement = f"UPDATE {quote(self._model._meta.db_table)} SET {sets} WHERE {where}"  # noqa: S608  # names of ours, values apart
        made = self._made[tuple(names)] = (statement, [*fields, *self._where])
        return made


class Insert:
    """An INSERT of one row of a model with all its columns."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model
        self._fields = list(model._meta.concrete_fields)
        self._statement = ""

    def __call__(self, row: models.Model) -> None:
        """Write a new row; defaults and times of creation are set as ``save`` would. Raises IntegrityError."""
        statement = self._statement or self._make()
        values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in self._fields]
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
        row._state.adding, row._state.db = False, connection.alias

    def _make(self) -> str:
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in self._fields)
        holes = ", ".join("%s" for _ in self._fields)
        self._statement = f"INSERT INTO {quote(self._model._meta.db_table)} ({columns}) VALUES ({holes})"  # noqa: S608  # names of ours
        return self._statement


class AddUp:
    """An INSERT of many counters of a model that adds to those that are there (PostgreSQL and SQLite alike).

    ``unique`` are the columns that tell one counter from another, ``added`` those whose values are added up, ``beside`` those that are written when
    a counter is new and depend on ``unique`` alone.
    """

    def __init__(self, model: type[models.Model], unique: Sequence[str], added: Sequence[str], beside: Sequence[str] = ()) -> None:
        self._table = model._meta.db_table
        self._fields = [_field(model, name) for name in (*unique, *beside)]
        self._unique, self._added = [_field(model, name) for name in unique], [_field(model, name) for name in added]

    def __call__(self, counters: Mapping[tuple[Any, ...], tuple[int, ...]]) -> None:
        """Add to the counters, by the values of ``unique`` and ``beside`` the values of ``added``.

        All callers reach counters in the order of their keys, so two at once never wait for each other in a circle.
        """
        items = sorted(counters.items())
        with connection.cursor() as cursor:
            for start in range(0, len(items), ROWS):
                some = items[start : start + ROWS]
                columns = [
                    *(_prepared(field, [key[place] for key, _ in some]) for place, field in enumerate(self._fields)),
                    *([numbers[place] for _, numbers in some] for place in range(len(self._added))),
                ]
                cursor.execute(self._statement(len(some)), _parameters(columns))

    def _statement(self, rows: int) -> str:
        quote = connection.ops.quote_name
        table = quote(self._table)
        fields = [*self._fields, *self._added]
        columns = ", ".join(quote(str(field.column)) for field in fields)
        unique = ", ".join(quote(str(field.column)) for field in self._unique)
        added = [quote(str(field.column)) for field in self._added]
        sets = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in added)
        return (
            f"INSERT INTO {table} ({columns}) {_source(fields, rows)} ON CONFLICT ({unique}) DO UPDATE SET {sets}"  # names of ours
        )


class InsertNew:
    """An INSERT of many rows of a model, of which those that are there already stay as they are."""

    def __init__(self, model: type[models.Model], *names: str) -> None:
        self._table, self._key = model._meta.db_table, str(model._meta.pk.column)
        self._fields = [_field(model, name) for name in names]

    def __call__(self, rows: Sequence[tuple[Any, ...]]) -> set[Any]:
        """Write the rows in their order; gives the primary keys of those that were new.

        Where another transaction has just written one of them, its end is waited for.
        """
        quote, new = connection.ops.quote_name, set()
        columns = ", ".join(quote(str(field.column)) for field in self._fields)
        with connection.cursor() as cursor:
            for start in range(0, len(rows), ROWS):
                some = rows[start : start + ROWS]
                source = _source(self._fields, len(some))
                cursor.execute(
                    f"INSERT INTO {quote(self._table)} ({columns}) {source} ON CONFLICT DO NOTHING RETURNING {quote(self._key)}",  # names of ours
                    _parameters([_prepared(field, [row[place] for row in some]) for place, field in enumerate(self._fields)]),
                )
                new |= {key for (key,) in cursor.fetchall()}
        return new


def _source(fields: Sequence[models.Field[Any, Any]], rows: int) -> str:
    """Where the rows of an INSERT come from; on PostgreSQL from a list a column, as a value each would cost it, and its driver, twice the time."""
    if connection.vendor == "postgresql":
        lists = (f"ARRAY(SELECT json_array_elements_text(%s::json))::{field.db_type(connection)}[]" for field in fields)  # types
        return f"SELECT * FROM unnest({', '.join(lists)})"  # noqa: S608  # made of them
    return f"VALUES {', '.join([f'({_holes(len(fields))})'] * rows)}"


def _parameters(columns: Sequence[list[Any]]) -> list[Any]:
    """What fills the places of :func:`_source`."""
    if connection.vendor == "postgresql":
        return [json.dumps(column, default=str) for column in columns]
    return [value for row in zip(*columns, strict=True) for value in row]


def _holes(number: int) -> str:
    return ", ".join(["%s"] * number)


def _prepared(field: models.Field[Any, Any], values: list[Any]) -> list[Any]:
    """What the database wants in the place of each of these; only times differ, of which there are few."""
    if not isinstance(field, models.DateField):
        return values
    known = {value: field.get_db_prep_save(value, connection) for value in set(values)}
    return [known[value] for value in values]


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    found = next((field for field in model._meta.concrete_fields if field.attname == name), None)
    if found is None:
        raise ValueError(f"{model.__name__} has no column for {name!r}")
    return found
