"""Taking over keys from elsewhere by their hashes: one row a key, each with its outcome. Running it again imports nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from controlplane.commandline.rows import Row, Shape
from core.actors import Actor
from core.errors import DomainError, InvalidInputError
from tenants.keys import importing, selectors
from tenants.models import Tenant

KEYS = Shape(
    columns=("name", "sha256", "last_four", "environment", "scopes", "cidrs", "expires_at", "rotate_every_days"),
    required=("name", "sha256"),
    unique="sha256",
)
"""``scopes`` and ``cidrs`` are separated by blanks, ``expires_at`` is RFC 3339 with its time zone."""
REASON = "imported from a file"


@dataclass(slots=True)
class Outcome:
    """What became of one row: ``imported``, ``known`` (an earlier run did it), or ``refused`` with column and reason. Never the hash."""

    line: int
    name: str
    outcome: str
    key: str = ""
    column: str = ""
    reason: str = ""


def take_over(
    rows: Iterable[Row], tenant: Tenant, *, actor: Actor, reason: str = REASON, told: Callable[[], object] = lambda: None
) -> list[Outcome]:
    """Import every row that can be; ``told`` is called after each."""
    outcomes = []
    for row in rows:
        outcomes.append(_import(row, tenant, actor, reason))
        told()
    return outcomes


def _import(row: Row, tenant: Tenant, actor: Actor, reason: str) -> Outcome:
    outcome = Outcome(row.line, row.values.get("name", ""), "refused")
    if row.error is not None:
        outcome.column, outcome.reason = row.error.pointer.strip("/"), row.error.detail
        return outcome
    known = selectors.find_imported(row.values["sha256"].strip().lower())
    if known is not None and known.key.tenant_id == tenant.pk:
        outcome.outcome, outcome.key = "known", known.key_id
        return outcome
    try:
        key = importing.import_key(actor=actor, tenant_id=tenant.pk, reason=reason, **_fields(row))
    except DomainError as error:
        outcome.column = ", ".join(dict.fromkeys(field.pointer.split("/")[1] for field in error.errors))
        outcome.reason = error.detail
        return outcome
    outcome.outcome, outcome.key = "imported", key.pk
    return outcome


def _fields(row: Row) -> dict[str, Any]:
    """Give a row's values in the types that the service takes; raises InvalidInputError with the column."""
    given: dict[str, Any] = {name: value for name, value in row.values.items() if value}
    for name in ("scopes", "cidrs"):
        if name in given:
            given[name] = given[name].split()
    if "expires_at" in given:
        given["expires_at"] = _moment(given["expires_at"])
    if "rotate_every_days" in given:
        text = given["rotate_every_days"]
        given["rotate_every_days"] = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else text
    return given


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        reason = "This is a time with its time zone, as in 2027-01-31T00:00:00Z."
        raise InvalidInputError.at("/expires_at", reason)
    return found
