"""The proof for all pairs of ids, and the mutants that it must catch. An answer of *unknown* raises, and so fails."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from provisioning.isolation import policies
from provisioning.isolation.documents import Document
from provisioning.isolation.patterns import UnsupportedPolicyError
from provisioning.isolation.prover import REAL, SAMPLE_BODY, SAMPLE_ID, WIDE, Grammar, ProofUnknownError, apart, listing_hides
from tenants.facts import CellFacts, IsolationModel, TenantFacts, TierFacts
from tests.provisioning.isolation.aws_cell import CELLS

CELL = CELLS[1]
KEY = f"arn:{CELL.partition}:kms:{CELL.region}:{CELL.account_id}:key/one-key"
SLASHED = Grammar(WIDE.first, f"{WIDE.rest}/", None)
"""Ids with a slash in them: what the naming must never allow."""


def _tenant(model: IsolationModel, cell: CellFacts = CELL, body: str = SAMPLE_BODY) -> TenantFacts:
    return TenantFacts(f"tnt_{body}", "a", "A", "active", TierFacts("any", model), cell, "a@example.com")


DOCUMENTS: dict[str, Document] = {
    "pool by tag": policies.pool_role_policy(CELL, key_arn=KEY),
    "pool by session": policies.pool_session_policy(_tenant(IsolationModel.POOL)),
    "bridge": policies.bridge_role_policy(_tenant(IsolationModel.BRIDGE), key_arn=KEY),
    "silo": policies.silo_role_policy(_tenant(IsolationModel.SILO), key_arn=KEY),
    "sovereign": policies.role_policy(_tenant(IsolationModel.SOVEREIGN), key_arn=KEY),
}
"""All share one key here, which is worse than the truth: own keys keep apart by their ARN besides."""
SHARED = ("pool by tag", "pool by session", "bridge")
PAIRS = list(itertools.product(DOCUMENTS, DOCUMENTS))


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_no_request_is_within_two_tenants_reach(first: str, second: str) -> None:
    finding = apart(f"{first} and {second}", DOCUMENTS[first], DOCUMENTS[second], REAL)
    assert finding.is_proved, finding


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_no_listing_shows_anothers_key(first: str, second: str) -> None:
    finding = listing_hides(f"{first} lists {second}", DOCUMENTS[first], DOCUMENTS[second], REAL)
    assert finding.is_proved, finding


@pytest.mark.parametrize(("first", "second"), list(itertools.product(SHARED, SHARED)))
def test_shared_places_stay_apart_for_ids_of_any_length(first: str, second: str) -> None:
    """The slash does it, not the fixed length: here one id may be the beginning of another."""
    assert apart("apart", DOCUMENTS[first], DOCUMENTS[second], WIDE).is_proved
    assert listing_hides("listing", DOCUMENTS[first], DOCUMENTS[second], WIDE).is_proved


@pytest.mark.parametrize("partition", CELLS, ids=lambda cell: cell.partition)
def test_every_partition(partition: CellFacts) -> None:
    document = policies.pool_session_policy(_tenant(IsolationModel.POOL, partition))
    assert apart("partition", document, document, REAL).is_proved


def test_the_boundary_keeps_the_shared_places_apart() -> None:
    """Own tables and keys are not told apart by the boundary; the role's policy and the key's do that."""
    boundary = _without(policies.boundary_policy(CELL), "OwnItems", "Keys")
    assert apart("boundary", boundary, boundary, REAL).is_proved
    assert listing_hides("boundary", boundary, boundary, REAL).is_proved


@pytest.mark.parametrize("body", ["01kaqacme00000000000000001", "7zzzzzzzzzzzzzzzzzzzzzzzzz", "00000000000000000000000000"])
def test_the_sample_stands_for_every_id(body: str) -> None:
    """The documents depend on the id only by holding it: the sample's, with the id replaced, is the other's."""
    makers: list[Callable[[TenantFacts], Document]] = [policies.role_policy, policies.tenant_role_trust, policies.own_bucket_policy]
    for model in IsolationModel:
        for make in [*makers, *([policies.pool_session_policy] if model is IsolationModel.POOL else [])]:
            sample, other = json.dumps(make(_tenant(model))), json.dumps(make(_tenant(model, body=body)))
            assert sample.replace(SAMPLE_BODY, body) == other
            assert SAMPLE_ID in sample


def _without(document: Document, *sids: str) -> Document:
    return {**document, "Statement": [one for one in document["Statement"] if one["Sid"] not in sids]}


def _mutated(document: Document, change: Callable[[dict[str, Any]], None]) -> Document:
    made = copy.deepcopy(document)
    for one in made["Statement"]:
        change(one)
    return made


def _replace(old: str, new: str) -> Callable[[Document], Document]:
    return lambda document: json.loads(json.dumps(document).replace(old, new))


def _drop_null(one: dict[str, Any]) -> None:
    if "dynamodb:LeadingKeys" in one.get("Condition", {}).get("Null", {}):
        del one["Condition"]["Null"]


def _like_leading_key(one: dict[str, Any]) -> None:
    if one.get("Condition", {}).pop("ForAllValues:StringEquals", None):
        one["Condition"]["ForAllValues:StringLike"] = {"dynamodb:LeadingKeys": f"{SAMPLE_ID}*"}


def _no_prefix(one: dict[str, Any]) -> None:
    if "s3:prefix" in one.get("Condition", {}).get("StringLike", {}):
        del one["Condition"]


def _no_context(one: dict[str, Any]) -> None:
    if one.get("Sid") == "Key":
        del one["Condition"]


BRIDGE = DOCUMENTS["bridge"]
MUTANTS: dict[str, Document] = {
    "objects without the slash": _replace(f"/tenants/{SAMPLE_ID}/*", f"/tenants/{SAMPLE_ID}*")(BRIDGE),
    "secrets without the slash": _replace(f"secret:cp/{CELL.code}/{SAMPLE_ID}/*", f"secret:cp/{CELL.code}/{SAMPLE_ID}*")(BRIDGE),
    "logs without the slash": _replace(f"{SAMPLE_ID}/*", f"{SAMPLE_ID}*")({**BRIDGE, "Statement": BRIDGE["Statement"][-1:]}),
    "leading keys without Null": _mutated(BRIDGE, _drop_null),
    "leading keys by StringLike with a wildcard": _mutated(BRIDGE, _like_leading_key),
    "listing without a condition": _mutated(BRIDGE, _no_prefix),
    "key without a context": _mutated(BRIDGE, _no_context),
    "the whole bucket": _replace(f"tenants/{SAMPLE_ID}/*", "tenants/*")(BRIDGE),
    "the tag's tenant forgotten": _replace("${aws:PrincipalTag/controlplane:tenant}", "*")(DOCUMENTS["pool by tag"]),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    finding = apart(name, MUTANTS[name], MUTANTS[name], WIDE)
    assert not finding.is_proved
    assert finding.counterexample["A"] != finding.counterexample["B"]


@pytest.mark.parametrize("prefix", [SAMPLE_ID, f"tenants/{SAMPLE_ID[:4]}", "tenants/", ""])
def test_a_listing_that_shows_too_much_is_caught(prefix: str) -> None:
    """``<prefix>*`` without the slash, of a part of the id, of the ancestor, of everything."""
    wider = prefix if prefix != SAMPLE_ID else f"tenants/{SAMPLE_ID}"
    mutant = copy.deepcopy(BRIDGE)
    mutant["Statement"][1]["Condition"] = {"StringLike": {"s3:prefix": f"{wider}*"}}
    assert not listing_hides("mutant", mutant, BRIDGE, WIDE).is_proved


def test_a_listing_of_the_exact_ancestor_is_caught() -> None:
    mutant = copy.deepcopy(BRIDGE)
    mutant["Statement"][1]["Condition"] = {"StringEquals": {"s3:prefix": ["tenants/", f"tenants/{SAMPLE_ID}/"]}}
    assert not listing_hides("mutant", mutant, BRIDGE, REAL).is_proved


def test_a_listing_by_a_wider_action_is_caught() -> None:
    wider = {**BRIDGE["Statement"][1], "Action": ["s3:Li*"], "Condition": {"StringLike": {"s3:prefix": "tenants/*"}}}
    mutant = {**BRIDGE, "Statement": [wider]}
    assert not listing_hides("mutant", mutant, BRIDGE, REAL).is_proved


def test_ids_with_a_slash_are_caught() -> None:
    assert not apart("slash", BRIDGE, BRIDGE, SLASHED).is_proved


def test_names_that_a_wider_grammar_would_confuse_are_caught() -> None:
    """Were an id's body free, one could be ``shared``, and a silo's table the pool's; the real grammar's length forbids it."""
    finding = apart("shared", DOCUMENTS["bridge"], DOCUMENTS["silo"], WIDE)
    assert "shared" in finding.counterexample["B"]


@pytest.mark.parametrize(
    "change",
    [
        {"NotAction": ["s3:GetObject"]},
        {"Condition": {"StringLikeIfExists": {"s3:prefix": "x"}}},
        {"Condition": {"StringNotEquals": {"s3:prefix": "x"}}},
        {"Resource": "arn:${aws:PrincipalAccount}"},
        {"Action": ["*"]},
    ],
)
def test_what_the_proof_does_not_know_is_refused(change: dict[str, Any]) -> None:
    one = {**BRIDGE["Statement"][1], **change}
    with pytest.raises(UnsupportedPolicyError):
        apart("unknown", {**BRIDGE, "Statement": [one]}, {**BRIDGE, "Statement": [one]}, REAL)


def test_an_unknown_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioning.isolation import question

    class Unsure:
        def isUnsat(self) -> bool:  # noqa: N802  # cvc5's name
            return False

        isSat = isUnsat  # noqa: N815

    class Solver:
        def __init__(self, terms: Any) -> None: ...
        def setLogic(self, _: str) -> None: ...  # noqa: N802
        def setOption(self, *_: str) -> None: ...  # noqa: N802
        def assertFormula(self, _: Any) -> None: ...  # noqa: N802
        def checkSat(self) -> Unsure:  # noqa: N802
            return Unsure()

    monkeypatch.setattr(question.importlib.import_module("cvc5"), "Solver", Solver)
    with pytest.raises(ProofUnknownError):
        apart("unknown", BRIDGE, BRIDGE, REAL)


def test_without_cvc5_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioning.isolation import question

    def missing(_: str) -> Any:
        raise ImportError

    monkeypatch.setattr(question.importlib, "import_module", missing)
    with pytest.raises(question.ProverMissingError, match=r"requirements-dev\.txt"):
        apart("missing", BRIDGE, BRIDGE, REAL)
