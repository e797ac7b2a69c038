"""IAM's patterns: ``*``, ``?`` and ``${variables}``, read into tokens once for the evaluator and the proof. Pure.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html . A variable's value is literal: a ``*`` in
it is a character, not a wildcard. ``${*}``, ``${?}`` and ``${$}`` are those characters. Defaults (``${key, 'x'}``) are not supported and
refused, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import DomainError

Context = Mapping[str, str | tuple[str, ...]]
"""Condition keys in lower case to a value, or to several for a multi-valued key; an absent key is absent from the mapping."""

_TOKEN = re.compile(r"\$\{([^{}]*)\}|([*?])|([^*?$]+|\$)")
_SPECIAL = frozenset("*?$")


class UnsupportedPolicyError(DomainError):
    """The policy uses something that is not understood here. It is never taken for an allow."""

    code = "unsupported-policy"
    title = "The policy uses something that the evaluator does not know"
    status = 500


@dataclass(frozen=True, slots=True)
class Literal:
    """Characters that stand for themselves."""

    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``many`` is ``*`` (any number of any character), otherwise ``?`` (exactly one)."""

    many: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """The value of a condition key, in lower case."""

    key: str


Token = Literal | Wildcard | Variable


def tokens_of(pattern: str) -> tuple[Token, ...]:
    """Read a pattern; raises UnsupportedPolicyError on a variable that is not a plain key."""
    found: list[Token] = []
    for variable, wildcard, text in _TOKEN.findall(pattern):
        if wildcard:
            found.append(Wildcard(wildcard == "*"))
        elif text:
            found.append(Literal(text))
        elif variable in _SPECIAL:
            found.append(Literal(variable))
        elif re.fullmatch(r"[A-Za-z0-9]+:[A-Za-z0-9:/_.-]+", variable):
            found.append(Variable(variable.lower()))
        else:
            raise UnsupportedPolicyError(f"The variable ${{{variable}}} is not understood.")
    return tuple(found)


def matches(pattern: str, value: str, context: Context | None = None, *, ignore_case: bool = False) -> bool | None:
    """Say whether ``value`` fits; None when a variable of the pattern has no value in the context."""
    expression = ""
    for token in tokens_of(pattern):
        if isinstance(token, Variable):
            resolved = (context or {}).get(token.key)
            if isinstance(resolved, tuple):
                raise UnsupportedPolicyError(f"The variable {token.key} has several values.")
            if resolved is None:
                return None
            expression += re.escape(resolved)
        elif isinstance(token, Wildcard):
            expression += ".*" if token.many else "."
        else:
            expression += re.escape(token.text)
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.fullmatch(expression, value, flags) is not None


def substitute(text: str, context: Context) -> str | None:
    """Put variables' values into a text that is compared exactly; ``*`` and ``?`` stay themselves. None when one has no value."""
    made = ""
    for token in tokens_of(text):
        if isinstance(token, Variable):
            resolved = context.get(token.key)
            if isinstance(resolved, tuple):
                raise UnsupportedPolicyError(f"The variable {token.key} has several values.")
            if resolved is None:
                return None
            made += resolved
        else:
            made += token.text if isinstance(token, Literal) else "*" if token.many else "?"
    return made
