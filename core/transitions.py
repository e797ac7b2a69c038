"""A change of state as one conditional UPDATE.

Two workers may both believe that a row is in state A. Only one of ``UPDATE ... WHERE state = A`` changes a row; the other learns it
from the count and gets a ConflictError. This is boulder's and healthchecks' way; the price is that the instance in memory must be
refreshed by hand, which :func:`change_state` does for the fields that it wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models

from core.errors import ConflictError


class IllegalTransitionError(ConflictError):
    """The state that the row is in does not allow this change."""

    code = "illegal-transition"
    title = "Not possible in this state"


def change_state(
    row: models.Model,
    *,
    to: str,
    sources: Iterable[str],
    field: str = "state",
    where: Mapping[str, Any] | None = None,
    **also: Any,
) -> None:
    """Move ``row`` from one of ``sources`` to ``to`` if nobody was first, and set ``also`` in the same statement.

    Raises IllegalTransitionError when the row is in none of the sources (or ``where`` no longer holds); nothing is written then. The
    caller's instance carries the new values afterwards. Call it inside the transaction that also writes the audit event.
    """
    allowed = tuple(sources)
    condition = {"pk": row.pk, f"{field}__in": allowed, **(where or {})}
    changes = {field: to, **also}
    if type(row)._base_manager.filter(**condition).update(**changes) != 1:
        current = type(row)._base_manager.filter(pk=row.pk).values_list(field, flat=True).first()
        noun = type(row)._meta.verbose_name
        if current is None:
            raise IllegalTransitionError(f"This {noun} no longer exists.")
        raise IllegalTransitionError(f"This {noun} is {current}; it can become {to} only from {' or '.join(allowed)}.")
    for name, value in changes.items():
        setattr(row, name, value)
