"""The documents as AWS will see them, through the evaluator: session tags, leading keys, encryption context, TLS, every layer together.

The first leg of pooled access is also tried without the second: it must keep tenants apart by itself.
"""

from __future__ import annotations

import itertools

import pytest

from provisioning.isolation import policies
from provisioning.isolation.access import OBJECT_ACTIONS
from provisioning.isolation.evaluator import Policies, Request, decide, may_assume
from tenants import naming
from tenants.facts import CellFacts, IsolationModel
from tests.provisioning.isolation.aws_cell import CELLS, MODELS, TAG, answer, asks_of, key_arn, policies_of, tenant

POOL = IsolationModel.POOL


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.partition)
@pytest.mark.parametrize("model", MODELS)
def test_home_opens_exactly_where_promised(model: IsolationModel, cell: CellFacts) -> None:
    home = tenant(model, 1, cell)
    for ask in asks_of(home):
        found = answer(home, ask, policies_of(home, home, ask.action))
        assert found.is_allowed is ask.is_mine, f"{ask.name}: {found.reason}"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.partition)
@pytest.mark.parametrize(("model", "other"), list(itertools.product(MODELS, MODELS)))
def test_no_neighbours_door_opens(model: IsolationModel, other: IsolationModel, cell: CellFacts) -> None:
    home, target = tenant(model, 1, cell), tenant(other, 2, cell)
    for ask in asks_of(target):
        assert not answer(home, ask, policies_of(home, target, ask.action)).is_allowed, ask.name


@pytest.mark.parametrize("other", MODELS)
def test_the_session_tag_alone_keeps_pooled_tenants_apart(other: IsolationModel) -> None:
    home, target = tenant(POOL, 1), tenant(other, 2)
    for ask in asks_of(target):
        role = Policies([policies.pool_role_policy(home.cell, key_arn=key_arn(home))])
        documents = role if not ask.action.startswith("kms:") else policies_of(home, target, ask.action, session=False)
        assert not answer(home, ask, documents).is_allowed, ask.name
    for ask in asks_of(home):
        assert answer(home, ask, policies_of(home, home, ask.action, session=False)).is_allowed is ask.is_mine, ask.name


@pytest.mark.parametrize("model", [IsolationModel.BRIDGE, IsolationModel.SILO])
def test_the_boundary_holds_a_role_that_allows_everything(model: IsolationModel) -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    home, target = tenant(model, 1), tenant(IsolationModel.BRIDGE, 2)
    for ask in asks_of(target):
        layers = policies_of(home, target, ask.action)
        documents = Policies([everything], layers.boundary, None, layers.resource)
        assert not answer(home, ask, documents).is_allowed, ask.name


@pytest.mark.parametrize("model", MODELS)
def test_without_the_tag_nothing_of_the_pool_opens(model: IsolationModel) -> None:
    role = naming.names_of_cell(CELLS[0]).access_role_arn
    documents = Policies([policies.pool_role_policy(CELLS[0], key_arn=key_arn(tenant(POOL, 1)))])
    for ask in asks_of(tenant(model, 1)):
        assert not decide(Request(role, ask.action, ask.resource, ask.context), documents).is_allowed, ask.name


@pytest.mark.parametrize("model", [model for model in MODELS if model is not POOL])
@pytest.mark.parametrize("state", ["suspended", "offboarding", "closed"])
def test_a_tenant_that_is_not_served_reaches_nothing(model: IsolationModel, state: str) -> None:
    facts = tenant(model, 1, state=state)
    for ask in asks_of(facts):
        assert not answer(facts, ask, policies_of(facts, facts, ask.action)).is_allowed, ask.name


def test_plain_http_is_refused() -> None:
    facts = tenant(IsolationModel.SILO, 1)
    ask = asks_of(facts)[0]
    documents = policies_of(facts, facts, ask.action)
    context = {TAG: facts.id, "aws:SecureTransport": "false"}
    assert decide(Request(naming.names_of(facts).access_role_arn, ask.action, ask.resource, context), documents).reason == (
        "denied by the resource policy"
    )


def test_mixed_leading_keys_are_refused() -> None:
    home, target = tenant(POOL, 1), tenant(POOL, 2)
    ask = next(ask for ask in asks_of(home) if ask.name == "get item")
    for keys in ((home.id, target.id), ()):
        context = {TAG: home.id, **({"dynamodb:LeadingKeys": keys} if keys else {})}
        request = Request(naming.names_of(home).access_role_arn, "dynamodb:BatchGetItem", ask.resource, context)
        assert not decide(request, policies_of(home, home, ask.action)).is_allowed


@pytest.mark.parametrize("model", MODELS)
def test_who_may_assume_a_role(model: IsolationModel) -> None:
    facts, other = tenant(model, 1), tenant(model, 2)
    trust = policies.pool_role_trust(facts.cell) if model is POOL else policies.tenant_role_trust(facts)
    control_plane = naming.names_of_cell(facts.cell).control_plane_role_arn
    stranger = naming.arn(facts.cell, "iam", "role/other", region=False)

    def asked(who: str, tag: str | None, session: str, keys: tuple[str, ...] = (naming.TAG_TENANT,)) -> bool:
        context: dict[str, str | tuple[str, ...]] = {"sts:RoleSessionName": session, "aws:TagKeys": keys}
        if tag is not None:
            context[f"aws:RequestTag/{naming.TAG_TENANT}"] = tag
        return all(may_assume(trust, Request(who, f"sts:{action}", "", context)) for action in ("AssumeRole", "TagSession"))

    name = f"{facts.id}@operator.ada"
    assert asked(control_plane, facts.id, name)
    assert not asked(stranger, facts.id, name)
    assert not asked(control_plane, None, name)
    assert not asked(control_plane, facts.id, "anonymous")
    assert not asked(control_plane, facts.id, name, (naming.TAG_TENANT, "other"))
    assert not asked(control_plane, "tnt_short", name)
    if model is not POOL:
        assert not asked(control_plane, other.id, name)


@pytest.mark.parametrize("other", MODELS)
def test_a_bucket_refuses_a_session_of_another_tenant_by_itself(other: IsolationModel) -> None:
    """The third leg: even an identity that is allowed everything meets the bucket's own deny."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    home, target = tenant(POOL, 1), tenant(other, 2)
    asks = [ask for ask in asks_of(target) if ask.action in OBJECT_ACTIONS]
    assert len(asks) >= 4
    for ask in asks:
        bucket = policies_of(home, target, ask.action).resource
        assert not answer(home, ask, Policies([everything], resource=bucket)).is_allowed, ask.name
    own = asks_of(home)[0]
    assert answer(home, own, Policies([everything], resource=policies_of(home, home, own.action).resource)).is_allowed


@pytest.mark.parametrize("other", [model for model in MODELS if model is not POOL])
def test_a_key_refuses_a_session_of_another_tenant_by_itself(other: IsolationModel) -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    home, target = tenant(IsolationModel.BRIDGE, 1), tenant(other, 2)
    for ask in asks_of(target):
        if ask.action.startswith("kms:"):
            key = policies_of(home, target, ask.action).resource
            administers = ask.name == "delete the key"
            assert answer(home, ask, Policies([everything], resource=key)).is_allowed is administers, ask.name
