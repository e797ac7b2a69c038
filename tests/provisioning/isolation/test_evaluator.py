"""The evaluator's own rules: deny first, every layer must allow, and what is not known is an error and never an allow."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.isolation.conditions import all_hold
from provisioning.isolation.evaluator import Policies, Request, decide
from provisioning.isolation.patterns import UnsupportedPolicyError, matches, substitute

ROLE = "arn:test:iam::123456789012:role/r"
TAG = "aws:principaltag/t"


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(resource: str = "*", action: str = "s3:GetObject", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def _asked(policies: Policies, resource: str = "x", action: str = "s3:GetObject", **context: Any) -> bool:
    return decide(Request(ROLE, action, resource, context), policies).is_allowed


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("a/*", "a/", True),
        ("a/*", "a", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("A", "a", False),
        ("${*}", "*", True),
        ("${*}", "x", False),
        ("${?}${$}", "?$", True),
        ("$5", "$5", True),
        ("*", "line\nbreak", True),
    ],
)
def test_patterns(pattern: str, value: str, fits: bool) -> None:
    assert matches(pattern, value) is fits


def test_a_variables_value_is_literal() -> None:
    assert matches("p/${aws:PrincipalTag/t}/*", "p/*/x", {TAG: "*"}) is True
    assert matches("p/${aws:PrincipalTag/t}/*", "p/other/x", {TAG: "*"}) is False
    assert matches("p/${aws:PrincipalTag/t}", "p/", {}) is None
    assert substitute("${aws:PrincipalTag/t}*", {TAG: "a"}) == "a*"
    assert substitute("${aws:PrincipalTag/t}", {}) is None


@pytest.mark.parametrize("pattern", ["${aws:PrincipalTag/t, 'x'}", "${}", "${nothing}", "${aws:a b}"])
def test_a_variable_that_is_not_understood_is_an_error(pattern: str) -> None:
    with pytest.raises(UnsupportedPolicyError):
        matches(pattern, "x", {})


def test_a_variable_with_several_values_is_an_error() -> None:
    for use in (matches, lambda pattern, _, context: substitute(pattern, context)):
        with pytest.raises(UnsupportedPolicyError):
            use("${aws:TagKeys}", "a", {"aws:tagkeys": ("a", "b")})


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", None, False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", None, True),
        ("StringLike", "a*", "ab", True),
        ("StringLike", "a*", None, False),
        ("StringNotLike", "a*", "b", True),
        ("Bool", "false", "False", True),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("Null", "false", "x", True),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ForAllValues:StringEquals", "a", ("a", "a"), True),
        ("ForAllValues:StringEquals", "a", ("a", "b"), False),
        ("ForAllValues:StringLike", "a*", ("a1", "a2"), True),
        ("StringEquals", "${aws:PrincipalTag/absent}", "x", False),
    ],
)
def test_operators(operator: str, wanted: Any, actual: Any, holds: bool) -> None:
    assert all_hold({operator: {"Some:Key": wanted}}, {} if actual is None else {"some:key": actual}) is holds


@pytest.mark.parametrize(
    "operator",
    [
        "StringEqualsIfExists",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringNotEquals",
        "ArnLike",
        "IpAddress",
        "stringequals",
        "Nonsense",
    ],
)
def test_an_operator_that_is_not_known_is_an_error(operator: str) -> None:
    with pytest.raises(UnsupportedPolicyError):
        all_hold({operator: {"k": "v"}}, {"k": "v"})


def test_one_value_is_not_compared_with_several() -> None:
    with pytest.raises(UnsupportedPolicyError):
        all_hold({"StringEquals": {"k": "v"}}, {"k": ("v", "w")})


def test_every_layer_must_allow_and_a_deny_wins() -> None:
    yes, no = _document(_allow()), _document(_allow("y"))
    deny = _document(_allow(), {"Effect": "Deny", "Action": "s3:*", "Resource": "x"})
    assert _asked(Policies([yes]))
    assert _asked(Policies([no, yes], yes, yes))
    for refusing in (no, deny):
        assert not _asked(Policies([refusing]))
        assert not _asked(Policies([yes], boundary=refusing))
        assert not _asked(Policies([yes], session=refusing))
    assert not _asked(Policies([yes, deny]))
    assert not _asked(Policies([]))


def test_a_resource_policy_denies_anywhere_and_allows_for_keys_only() -> None:
    deny = _document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "x"})
    assert not _asked(Policies([_document(_allow())], resource=deny))
    assert _asked(Policies([_document(_allow("y"))], resource=deny), "y")
    keys = _document(_allow(action="kms:Decrypt", Principal={"AWS": ROLE}))
    identity = _document(_allow(action="kms:Decrypt"))
    assert _asked(Policies([identity], resource=keys), action="kms:Decrypt")
    assert not _asked(Policies([identity], resource=_document()), action="kms:Decrypt")
    other = _document(_allow(action="kms:Decrypt", Principal={"AWS": f"{ROLE}2"}))
    assert not _asked(Policies([identity], resource=other), action="kms:Decrypt")
    account = _document(_allow(action="kms:Decrypt", Principal={"AWS": "arn:test:iam::123456789012:root"}))
    assert _asked(Policies([identity], resource=account), action="kms:Decrypt")
    with pytest.raises(UnsupportedPolicyError):
        _asked(Policies([_document(_allow())], resource=_document(_allow(Principal="*"))))


def test_not_resource_denies_outside_and_needs_its_variable() -> None:
    outside = {"Effect": "Deny", "Action": "s3:*", "NotResource": "p/${aws:PrincipalTag/t}/*"}
    policies = Policies([_document(_allow(), outside)])
    assert _asked(policies, "p/a/x", **{TAG: "a"})
    assert not _asked(policies, "p/b/x", **{TAG: "a"})
    with pytest.raises(UnsupportedPolicyError):
        _asked(policies, "p/a/x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "y"},
        {"Effect": "Deny", "Action": "s3:GetObject", "NotResource": "y", "Resource": "z"},
        {"Effect": "Allow", "NotPrincipal": "*", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Perhaps", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "s3:GetObject", "Resource": "*"},
    ],
)
def test_a_form_that_is_not_understood_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedPolicyError):
        _asked(Policies([_document(wrong)]))


def test_an_older_version_is_an_error() -> None:
    with pytest.raises(UnsupportedPolicyError):
        _asked(Policies([{"Version": "2008-10-17", "Statement": [_allow()]}]))
