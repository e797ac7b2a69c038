"""The condition operators that our documents use, and no other. Pure.

An operator that is not here is an error: an evaluator that skipped one would call a door shut that is open. Absent keys: an affirmative
operator fails, a negated one holds, ``ForAllValues`` holds, ``Null`` asks. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from provisioning.isolation.patterns import Context, UnsupportedPolicyError, matches, substitute

Compare = Callable[[str, str, Context], bool]

FOR_ALL: Final = "ForAllValues:"


def _equals(actual: str, wanted: str, context: Context) -> bool:
    return substitute(wanted, context) == actual


def _like(actual: str, wanted: str, context: Context) -> bool:
    return matches(wanted, actual, context) is True


def _bool(actual: str, wanted: str, _: Context) -> bool:
    return actual.lower() == wanted.lower()


_AFFIRMATIVE: Final[dict[str, Compare]] = {"StringEquals": _equals, "StringLike": _like, "Bool": _bool}
_NEGATED: Final[dict[str, Compare]] = {"StringNotEquals": _equals, "StringNotLike": _like}


def all_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Say whether every condition of a statement holds; raises UnsupportedPolicyError on an operator that is not known."""
    return all(
        _holds(operator, key.lower(), _listed(wanted), context)
        for operator, block in conditions.items()
        for key, wanted in block.items()
    )


def _holds(operator: str, key: str, wanted: tuple[str, ...], context: Context) -> bool:
    actual = context.get(key)
    if operator == "Null":
        return (actual is None) == (wanted == ("true",))
    plain = operator.removeprefix(FOR_ALL)
    compare = _AFFIRMATIVE.get(plain) or (_NEGATED.get(plain) if plain == operator else None)
    if compare is None:
        raise UnsupportedPolicyError(f"The condition operator {operator} is not known.")
    if plain != operator:
        values = () if actual is None else (actual,) if isinstance(actual, str) else actual
        return all(any(compare(value, one, context) for one in wanted) for value in values)
    if isinstance(actual, tuple):
        raise UnsupportedPolicyError(f"{operator} compares one value, {key} has several.")
    if actual is None:
        return plain in _NEGATED
    fits = any(compare(actual, one, context) for one in wanted)
    return not fits if plain in _NEGATED else fits


def _listed(wanted: Any) -> tuple[str, ...]:
    values = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if not values or not all(isinstance(value, str) for value in values):
        raise UnsupportedPolicyError("A condition compares with strings.")
    return values
