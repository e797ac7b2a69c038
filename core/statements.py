"""The writes that hot paths make every time, put together once a process instead of once a call.

Their text never changes, and by the ORM putting it together costs three times what the database takes to carry it out: with five at
every step that was a quarter of the engine's own time (``bench.share``), and more of that of issuing a key (``bench.keys``). Values go
through the model's fields, as the ORM's do, so both databases get what they expect. Signals are not sent; nobody may listen to these models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


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


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    found = next((field for field in model._meta.concrete_fields if field.attname == name), None)
    if found is None:
        raise ValueError(f"{model.__name__} has no column for {name!r}")
    return found
