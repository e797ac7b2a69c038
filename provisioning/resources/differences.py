"""Differences between what was promised and what was read back, as short sentences for operators. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def of_values(*triples: tuple[str, Any, Any]) -> tuple[str, ...]:
    """Compare (what, found, promised) triples; one sentence for each that differs."""
    return tuple(
        f"{what} is {_spoken(found)}, promised {_spoken(promised)}" for what, found, promised in triples if found != promised
    )


def of_tags(found: Mapping[str, str], promised: Mapping[str, str]) -> tuple[str, ...]:
    """Name each promised tag that is missing or different; tags that AWS or others added do no harm."""
    return of_values(*((f"tag {key}", found.get(key), value) for key, value in sorted(promised.items())))


def of_document(what: str, found: Mapping[str, Any] | None, promised: Mapping[str, Any]) -> tuple[str, ...]:
    """Compare two policy documents by meaning of their JSON, where AWS may have turned a list of one into a string or reordered."""
    if found is None:
        return (f"{what} is missing",)
    return () if canonical(found) == canonical(promised) else (f"{what} is not the promised document",)


def of_names(what: str, found: Iterable[str], promised: Iterable[str]) -> tuple[str, ...]:
    """Compare two sets of names; one sentence for each that is missing or too many."""
    there, wanted = set(found), set(promised)
    missing = tuple(f"{what} {name} is missing" for name in sorted(wanted - there))
    return missing + tuple(f"{what} {name} was added by somebody else" for name in sorted(there - wanted))


def canonical(value: Any) -> Any:
    """Give a form in which two policy documents that say the same compare equal: single strings are lists, lists of strings are sorted."""
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, (str, int)):
        return [str(value)]
    items = [canonical(item) for item in value]
    flat = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in items]
    return sorted(flat, key=lambda item: json.dumps(item, sort_keys=True))


def _spoken(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
