"""A proof, for all pairs of tenants at once, that generated documents keep them apart.

The documents are made for one sample tenant, as in production, and the body of its id is read as a symbol. Two symbols ``A != B``
range over a whole grammar of ids, and cvc5 looks for a request that the document of A and the document of B would both allow. If none
exists, no resource is within two tenants' reach. ``listing_hides`` asks besides whether a listing that A may make can show a key that is B's.

An *unknown* from the solver raises; it is never a pass. Denials are left out of the model, which is safe: they only take away. What a
proof does not cover is said in ``docs/isolation.md``. cvc5 is a requirement of the tests, not of production: it is imported when a
proof is asked for, and its absence raises ProverMissingError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioning.isolation.access import LIST_ACTIONS
from provisioning.isolation.documents import Document
from provisioning.isolation.evaluator import statements_of
from provisioning.isolation.patterns import UnsupportedPolicyError, matches
from provisioning.isolation.question import (
    REAL,
    SAMPLE_BODY,
    SAMPLE_ID,
    WIDE,
    Grammar,
    ProofUnknownError,
    ProverMissingError,
    Question,
    listed,
)

__all__ = [
    "REAL",
    "SAMPLE_BODY",
    "SAMPLE_ID",
    "WIDE",
    "Finding",
    "Grammar",
    "ProofUnknownError",
    "ProverMissingError",
    "apart",
    "listing_hides",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the solver said of one claim: ``counterexample`` names two ids and a request, and is empty when the claim is proved."""

    claim: str
    counterexample: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_proved(self) -> bool:
        """True when no counterexample exists."""
        return not self.counterexample


def apart(claim: str, first: Document, second: Document, grammar: Grammar) -> Finding:
    """Look for a request that ``first`` allows to A and ``second`` to B. Raises ProofUnknownError, UnsupportedPolicyError."""
    pairs = [(one, two) for one in _allows(first) for two in _allows(second) if _services(one) & _services(two)]
    for one, two in pairs:
        question = Question(grammar)
        resource = question.string("resource")
        question.resource(resource, one["Resource"], "A")
        question.resource(resource, two["Resource"], "B")
        question.conditions(one.get("Condition", {}), "A")
        question.conditions(two.get("Condition", {}), "B")
        found = question.counterexample()
        if found:
            return Finding(claim, {**found, "statements": f"{one.get('Sid', one['Action'])} and {two.get('Sid', two['Action'])}"})
    return Finding(claim)


def listing_hides(claim: str, first: Document, second: Document, grammar: Grammar) -> Finding:
    """Look for a listing that A may make of a bucket and that would show an object which is B's."""
    listings = [one for one in _allows(first) if _lists(one)]
    objects = [two for two in _allows(second) if "s3" in _services(two)]
    for one in listings:
        for two in objects:
            question = Question(grammar)
            bucket, prefix, key = question.string("bucket"), question.string("s3:prefix"), question.string("key")
            question.resource(bucket, one["Resource"], "A")
            question.conditions(one.get("Condition", {}), "A")
            question.resource(question.concat(bucket, "/", key), two["Resource"], "B")
            question.starts(key, prefix)
            found = question.counterexample()
            if found:
                return Finding(claim, found)
    return Finding(claim)


def _allows(made: Document) -> list[Mapping[str, Any]]:
    return [one for one in statements_of(made) if one["Effect"] == "Allow"]


def _lists(one: Mapping[str, Any]) -> bool:
    return any(matches(pattern, action, ignore_case=True) for pattern in listed(one["Action"]) for action in LIST_ACTIONS)


def _services(one: Mapping[str, Any]) -> set[str]:
    """Statements are compared whenever they speak of one service: coarser than by action, so it can only ask too much."""
    found = {action.partition(":")[0].lower() for action in listed(one["Action"])}
    if any("*" in service or "?" in service for service in found):
        raise UnsupportedPolicyError("An action with a wildcard in its service is not understood.")
    return found
