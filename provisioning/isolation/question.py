"""One question to the solver: patterns of a document with a symbol where the id is, and two tenants that the symbol may stand for.

cvc5 is a requirement of the tests, not of production: it is imported when a question is asked.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.errors import DomainError
from core.ids import ALPHABET, BODY_LENGTH, TENANT
from provisioning.isolation.access import TENANT_VARIABLE
from provisioning.isolation.conditions import FOR_ALL
from provisioning.isolation.patterns import Literal, Token, UnsupportedPolicyError, Variable, Wildcard, tokens_of

SAMPLE_BODY: Final = "7zyxwvtsrqpnmkjhgfedcba987"
SAMPLE_ID: Final = f"{TENANT}_{SAMPLE_BODY}"


class ProverMissingError(DomainError):
    """cvc5 is not installed: it comes with the requirements of the tests."""

    code = "prover-missing"
    title = "The prover is not installed"
    status = 500


class ProofUnknownError(DomainError):
    """The solver gave neither a proof nor a counterexample. That is a failure."""

    code = "proof-unknown"
    title = "The proof could not be completed"
    status = 500


@dataclass(frozen=True, slots=True)
class Grammar:
    """The bodies that ids may have: a first character of ``first``, then others of ``rest``; ``length`` in all, or any when None."""

    first: str
    rest: str
    length: int | None


REAL: Final = Grammar("01234567", ALPHABET, BODY_LENGTH)
"""The ids that ``core.ids`` makes."""
_WORD: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
WIDE: Final = Grammar(_WORD, f"{_WORD}-_", None)
"""Far more than that, of any length, so that one id may be the beginning of another."""


def listed(value: Any) -> tuple[str, ...]:
    """A value that may stand alone or in a list, as several."""
    return (value,) if isinstance(value, str) else tuple(value)


def _runs(characters: str) -> list[str]:
    """Cut sorted characters into runs of neighbours: ``abcx`` gives ``abc`` and ``x``."""
    runs: list[str] = []
    for one in sorted(set(characters)):
        if runs and ord(one) == ord(runs[-1][-1]) + 1:
            runs[-1] += one
        else:
            runs.append(one)
    return runs


def _grouped(tokens: tuple[Token, ...]) -> list[tuple[Token, int]]:
    """Put equal wildcards side by side together: 26 times ``?`` is one unknown of 26 characters; 26 unknowns would be too many."""
    grouped: list[tuple[Token, int]] = []
    for token in tokens:
        if grouped and isinstance(token, Wildcard) and grouped[-1][0] == token:
            grouped[-1] = (token, grouped[-1][1] + 1)
        else:
            grouped.append((token, 1))
    return grouped


class Question:
    """One query to the solver: whether there is a request such that everything asserted holds.

    A condition key has a presence and one value. For a multi-valued key the value stands for any one of several, which is enough: what
    holds for all of them holds for that one. ``s3:prefix`` is present when it is constrained to be; its absence equals the empty prefix.
    """

    def __init__(self, grammar: Grammar) -> None:
        try:
            self.cvc5: Any = importlib.import_module("cvc5")
        except ImportError as error:
            raise ProverMissingError("cvc5 is not installed; requirements-dev.txt brings it.") from error
        self.terms: Any = self.cvc5.TermManager()
        self.solver: Any = self.cvc5.Solver(self.terms)
        self.solver.setLogic("QF_SLIA")
        for option, value in (("produce-models", "true"), ("strings-exp", "true"), ("tlimit-per", "20000")):
            self.solver.setOption(option, value)
        self.kind: Any = self.cvc5.Kind
        self.known: dict[str, Any] = {}
        self.fresh = 0
        for who in ("A", "B"):
            self._assert(self._in_grammar(self.string(who), grammar))
        self._assert(self._term("DISTINCT", self.known["A"], self.known["B"]))

    def string(self, name: str) -> Any:
        """A string variable by name; the same name is the same variable."""
        if name not in self.known:
            self.known[name] = self.terms.mkConst(self.terms.getStringSort(), name)
        return self.known[name]

    def concat(self, *parts: Any) -> Any:
        """Parts one after the other; plain text is a constant."""
        made = [self.terms.mkString(part) if isinstance(part, str) else part for part in parts]
        return made[0] if len(made) == 1 else self._term("STRING_CONCAT", *made)

    def starts(self, text: Any, prefix: Any) -> None:
        """Assert that ``text`` starts with ``prefix``."""
        self._assert(self._term("STRING_PREFIX", prefix, text))

    def resource(self, text: Any, patterns: Any, who: str) -> None:
        """Assert that ``text`` fits one of the patterns as they are for tenant ``who``."""
        self._assert(self._any(self._fits(text, pattern, who) for pattern in listed(patterns)))

    def conditions(self, blocks: Mapping[str, Mapping[str, Any]], who: str) -> None:
        """Assert that a statement's conditions hold for tenant ``who``."""
        for operator, block in blocks.items():
            for key, wanted in block.items():
                self._assert(self._condition(operator, key.lower(), listed(wanted), who))

    def counterexample(self) -> dict[str, str]:
        """Give the variables' values when there is one, nothing when there is none; raises ProofUnknownError otherwise."""
        answer = self.solver.checkSat()
        if answer.isUnsat():
            return {}
        if not answer.isSat():
            raise ProofUnknownError(f"cvc5 answered {answer}.")
        return {name: str(self.solver.getValue(term)) for name, term in self.known.items() if not name.startswith("_")}

    def _condition(self, operator: str, key: str, wanted: tuple[str, ...], who: str) -> Any:
        present = self._presence(key)
        if operator == "Null":
            return present if wanted == ("false",) else self._term("NOT", present)
        value = self.string(key)
        plain = operator.removeprefix(FOR_ALL)
        if plain == "StringLike":
            fits = self._any(self._fits(value, one, who) for one in wanted)
        elif plain == "StringEquals":
            fits = self._any(self._fits(value, one, who, wildcards=False) for one in wanted)
        else:
            raise UnsupportedPolicyError(f"The condition operator {operator} is not known to the proof.")
        return self._term("AND", present, fits) if plain == operator else self._term("IMPLIES", present, fits)

    def _presence(self, key: str) -> Any:
        name = f"{key} is present"
        if name not in self.known:
            self.known[name] = self.terms.mkConst(self.terms.getBooleanSort(), name)
        return self.known[name]

    def _fits(self, text: Any, pattern: str, who: str, *, wildcards: bool = True) -> Any:
        """``text`` equals the pattern's literals, the symbol, and a new variable for each wildcard, one after the other."""
        parts: list[Any] = []
        extra: list[Any] = []
        for token, run in _grouped(tokens_of(pattern)):
            if isinstance(token, Literal):
                for index, literal in enumerate(token.text.split(SAMPLE_BODY)):
                    parts += [self.string(who)] * (index > 0) + [literal] * bool(literal)
            elif isinstance(token, Variable):
                if f"${{{token.key}}}" != TENANT_VARIABLE.lower():
                    raise UnsupportedPolicyError(f"The variable {token.key} is not known to the proof.")
                parts += [f"{TENANT}_", self.string(who)]
            elif not wildcards:
                parts.append(("*" if token.many else "?") * run)
            else:
                parts.append(self._wildcard(token, run, extra))
        return self._term("AND", self._term("EQUAL", text, self.concat(*(parts or [""]))), self.terms.mkTrue(), *extra)

    def _wildcard(self, token: Wildcard, run: int, extra: list[Any]) -> Any:
        self.fresh += 1
        made = self.string(f"_{self.fresh}")
        if not token.many:
            extra.append(self._term("EQUAL", self._term("STRING_LENGTH", made), self.terms.mkInteger(run)))
        return made

    def _in_grammar(self, text: Any, grammar: Grammar) -> Any:
        first, rest = self._one_of(grammar.first), self._one_of(grammar.rest)
        tail = self._term("REGEXP_STAR", rest)
        made = self._term("STRING_IN_REGEXP", text, self._term("REGEXP_CONCAT", first, tail))
        if grammar.length is None:
            return made
        length = self._term("EQUAL", self._term("STRING_LENGTH", text), self.terms.mkInteger(grammar.length))
        return self._term("AND", made, length)

    def _one_of(self, characters: str) -> Any:
        """A class of characters as few ranges: the solver is lost in a union of forty single ones."""
        ranges = [(run[0], run[-1]) for run in _runs(characters)]
        made = [self._term("REGEXP_RANGE", self.terms.mkString(low), self.terms.mkString(high)) for low, high in ranges]
        return made[0] if len(made) == 1 else self._term("REGEXP_UNION", *made)

    def _any(self, claims: Iterable[Any]) -> Any:
        return self._term("OR", self.terms.mkFalse(), *claims, self.terms.mkFalse())

    def _assert(self, claim: Any) -> None:
        self.solver.assertFormula(claim)

    def _term(self, kind: str, *parts: Any) -> Any:
        return self.terms.mkTerm(getattr(self.kind, kind), *parts)
