"""Pages by key: a cursor says where the last page ended, so that page 400 costs what page 1 costs. Nothing is counted.

A cursor is opaque and signed; it holds the ordering, a digest of the filters and the last key. One that was made for another list, or by
somebody else, is refused. Rows that are added or removed meanwhile neither double nor hide others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Lower

from core.errors import InvalidInputError

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_CURSOR = 512
BY_ID: Mapping[str, Combinable] = {"id": F("pk")}
BY_CODE: Mapping[str, Combinable] = {"code": F("code")}
BY_ID_OR_SLUG: Mapping[str, Combinable] = {"id": F("pk"), "slug": Lower("slug")}
BY_POSITION: Mapping[str, Combinable] = {"position": F("position")}
BY_NUMBER: Mapping[str, Combinable] = {"number": F("number")}
"""Orderings by name: each a unique expression with an index of its own. ``-`` before the name turns it round."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the cursor of the next page or None."""

    rows: Sequence[Any]
    next: str | None


def names_of(orderings: Mapping[str, Combinable]) -> list[str]:
    """Give the whitelist as callers write it: ``id``, ``-id``."""
    return [sign + name for name in orderings for sign in ("", "-")]


def paginate(
    rows: QuerySet[Any],
    *,
    of: str,
    orderings: Mapping[str, Combinable],
    ordering: str,
    limit: int,
    cursor: str,
    filters: Mapping[str, Any],
) -> Page:
    """Give one page of ``rows`` in one query. ``of`` names the list, ``ordering`` is one of ``names_of(orderings)``.

    Raises InvalidInputError on a cursor that does not belong to this list, ordering and set of filters.
    """
    expression = orderings[ordering.removeprefix("-")]
    descending = ordering.startswith("-")
    signer = signing.Signer(salt=f"controlplane.api.cursor.{of}")
    place = [ordering, _digest(filters)]
    rows = rows.annotate(page_key=expression).order_by("-page_key" if descending else "page_key")
    if cursor:
        last = _read(signer, cursor, place)
        rows = rows.filter(page_key__lt=last) if descending else rows.filter(page_key__gt=last)
    found = list(rows[: limit + 1])
    more = len(found) > limit
    return Page(found[:limit], signer.sign_object([*place, found[limit - 1].page_key]) if more else None)


def _read(signer: signing.Signer, cursor: str, place: list[str]) -> Any:
    try:
        ordering, digest, last = signer.unsign_object(cursor[:MAX_CURSOR])
    except (signing.BadSignature, ValueError, TypeError):
        raise _refusal("This is not a cursor of this list.") from None
    if [ordering, digest] != place:
        raise _refusal("This cursor was made with other filters or another ordering.")
    return last


def _digest(filters: Mapping[str, Any]) -> str:
    text = repr(sorted((name, str(value)) for name, value in filters.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refusal(detail: str) -> InvalidInputError:
    return InvalidInputError.at("?cursor", detail, "cursor")
