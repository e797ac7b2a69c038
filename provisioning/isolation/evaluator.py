"""A small IAM evaluator that knows session tags and policy variables. Pure.

It answers what AWS would: an explicit deny anywhere wins; otherwise identity, boundary and session policy must each allow, and for a
KMS key its own policy as well (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html). It covers one
account and the forms that our documents use. Whatever it does not know raises UnsupportedPolicyError; it never allows by not knowing.

It holds the documents that a stand-in cannot walk on: the shared role's own policy with ``${aws:PrincipalTag/...}``, and conditions on
keys that a stand-in does not fill in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from provisioning.isolation.conditions import all_hold
from provisioning.isolation.documents import VERSION, Document
from provisioning.isolation.patterns import Context, UnsupportedPolicyError, matches

_STATEMENT_KEYS: Final = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "NotResource", "Condition"})


@dataclass(frozen=True, slots=True)
class Request:
    """One call as IAM sees it. ``principal_arn`` is the role's ARN, not the session's; condition keys may be in any case."""

    principal_arn: str
    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def keys(self) -> Context:
        """The condition keys in lower case, the principal's ARN among them."""
        made: dict[str, str | tuple[str, ...]] = {key.lower(): value for key, value in self.context.items()}
        made.setdefault("aws:principalarn", self.principal_arn)
        return made


@dataclass(frozen=True, slots=True)
class Policies:
    """All that bears on one request. ``boundary``, ``session`` and ``resource`` are None where there is none."""

    identity: Sequence[Document]
    boundary: Document | None = None
    session: Document | None = None
    resource: Document | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and the reason for it in words."""

    is_allowed: bool
    reason: str


def decide(request: Request, policies: Policies) -> Decision:
    """Say whether AWS would allow the request. Raises UnsupportedPolicyError when a document cannot be understood.

    A resource policy's allow is required for ``kms:`` and of no use elsewhere: outside KMS ours only deny, and one that allows is
    refused as not supported, because it could widen what a session policy narrows.
    """
    layers = [("identity policy", list(policies.identity))]
    layers += [
        (name, [found])
        for name, found in (("boundary", policies.boundary), ("session policy", policies.session))
        if found is not None
    ]
    is_key = request.action.lower().startswith("kms:")
    if policies.resource is not None:
        layers.append(("resource policy", [policies.resource]))
        if not is_key and any(one["Effect"] == "Allow" for one in statements_of(policies.resource)):
            raise UnsupportedPolicyError("A resource policy that allows is supported for keys only.")
    for name, documents in layers:
        if any(_applies(one, request, "Deny") for made in documents for one in statements_of(made)):
            return Decision(False, f"denied by the {name}")
    for name, documents in layers:
        if name == "resource policy" and not is_key:
            continue
        if not any(_applies(one, request, "Allow") for made in documents for one in statements_of(made)):
            return Decision(False, f"not allowed by the {name}")
    return Decision(True, "allowed by every layer")


def may_assume(trust: Document, request: Request) -> bool:
    """Say whether a trust policy lets the principal do ``request.action`` (``sts:AssumeRole``, ``sts:TagSession``)."""
    found = list(statements_of(trust))
    return not any(_applies(one, request, "Deny") for one in found) and any(_applies(one, request, "Allow") for one in found)


def statements_of(made: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give a document's statements after checking that each is of a form that is understood."""
    if made.get("Version") != VERSION:
        raise UnsupportedPolicyError(f"The policy's version is not {VERSION}: variables would not be substituted.")
    for one in made["Statement"]:
        if not set(one) <= _STATEMENT_KEYS or one.get("Effect") not in ("Allow", "Deny") or "Action" not in one:
            raise UnsupportedPolicyError("The statement has a form that is not understood.")
        if "NotResource" in one and (one["Effect"] == "Allow" or "Resource" in one):
            raise UnsupportedPolicyError("NotResource is understood in a deny, alone.")
        yield one


def _applies(one: Mapping[str, Any], request: Request, effect: str) -> bool:
    if one["Effect"] != effect or not any(matches(pattern, request.action, ignore_case=True) for pattern in _listed(one["Action"])):
        return False
    context = request.keys()
    if "Principal" in one and not _names(one["Principal"], request.principal_arn):
        return False
    return all_hold(one.get("Condition", {}), context) and _covers(one, request.resource, context)


def _covers(one: Mapping[str, Any], resource: str, context: Context) -> bool:
    """A trust policy has no resource. A variable without a value fits nothing; in a deny that would open, so it is refused."""
    if "NotResource" in one:
        return not any(_fits(pattern, resource, context, one) for pattern in _listed(one["NotResource"]))
    if "Resource" not in one:
        return True
    return any(_fits(pattern, resource, context, one) for pattern in _listed(one["Resource"]))


def _fits(pattern: str, resource: str, context: Context, one: Mapping[str, Any]) -> bool:
    found = matches(pattern, resource, context)
    if found is None and one["Effect"] == "Deny":
        raise UnsupportedPolicyError("A deny rests on a variable that has no value.")
    return found is True


def _names(principal: Any, arn: str) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict) or set(principal) != {"AWS"}:
        raise UnsupportedPolicyError("The principal has a form that is not understood.")
    account = ":".join(arn.split(":", 5)[:5])
    return any(one in (arn, f"{account}:root") for one in _listed(principal["AWS"]))


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
