"""The tenant template's documents, resolved, are those of the pure functions: there is one truth, and the template repeats it.

The resolver knows the few intrinsic functions that the template uses, and refuses any other.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
import yaml

from provisioning.isolation import policies
from provisioning.resources.stack import shape
from provisioning.resources.template import tenant_template
from tenants import naming
from tenants.facts import Capabilities, CellFacts, IsolationModel
from tenants.partitions import partition_of
from tests.provisioning.isolation.aws_cell import CELLS, key_arn, tenant

ABSENT = object()
STANDIN = dataclasses.replace(CELLS[0], capabilities=Capabilities(**dict.fromkeys(Capabilities.__slots__, False)))


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, as (name, value)."""


def _short(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> tuple[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return suffix, loader.construct_scalar(node)
    assert isinstance(node, yaml.SequenceNode)
    return suffix, loader.construct_sequence(node, deep=True)


Loader.add_multi_constructor("!", _short)


class Resolved:
    """A template with its parameters put in."""

    def __init__(self, cell: CellFacts, parameters: dict[str, str]) -> None:
        self.template = yaml.load(tenant_template().text, Loader)
        partition = partition_of(cell.partition)
        assert partition is not None
        pseudo = {
            "Partition": cell.partition,
            "Region": cell.region,
            "AccountId": cell.account_id,
            "URLSuffix": partition.dns_suffix,
        }
        self.values = {**{f"AWS::{name}": value for name, value in pseudo.items()}, **parameters}

    def document(self, resource: str, *path: Any) -> Any:
        found = self.template["Resources"][resource]["Properties"]
        for step in path:
            found = found[step]
        return self.value(found)

    def value(self, node: Any) -> Any:
        if isinstance(node, tuple):
            return self._function(*node)
        if isinstance(node, dict):
            return {key: made for key, inner in node.items() if (made := self.value(inner)) is not ABSENT}
        if isinstance(node, list):
            return [made for inner in node if (made := self.value(inner)) is not ABSENT]
        return node

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return ABSENT if argument == "AWS::NoValue" else self.values[argument]
        if name == "Sub":
            return re.sub(r"\$\{([A-Za-z:]+)\}", lambda found: self.values[found[1]], argument)
        if name == "Equals":
            first, second = map(self.value, argument)
            return first == second
        if name == "If":
            condition, then, otherwise = argument
            return self.value(then if self.value(self.template["Conditions"][condition]) else otherwise)
        raise AssertionError(f"the resolver does not know !{name}")


def _same(document: Any) -> Any:
    """One action or resource may stand alone or in a list; the order of keys does not matter."""
    if isinstance(document, dict):
        return {key: _same(inner) for key, inner in document.items()}
    if isinstance(document, list):
        return _same(document[0]) if len(document) == 1 else [_same(inner) for inner in document]
    return document


@pytest.mark.parametrize("state", ["active", "suspended"])
@pytest.mark.parametrize("cell", [*CELLS, STANDIN], ids=lambda cell: f"{cell.partition}-{cell.capabilities.tls}")
@pytest.mark.parametrize("model", [IsolationModel.SILO, IsolationModel.SOVEREIGN])
def test_the_template_says_what_the_policies_say(model: IsolationModel, cell: CellFacts, state: str) -> None:
    facts = tenant(model, 1, cell, state)
    parameters = {**shape(facts)[0].spec["parameters"], "KeyArn": key_arn(facts), "Deployment": "0" * 64}
    resolved = Resolved(cell, parameters)
    role = policies.role_policy(facts, key_arn=key_arn(facts))
    assert _same(resolved.document("Role", "Policies", 0, "PolicyDocument")) == _same(role)
    assert _same(resolved.document("Role", "AssumeRolePolicyDocument")) == _same(policies.tenant_role_trust(facts))
    assert _same(resolved.document("BucketPolicy", "PolicyDocument")) == _same(policies.own_bucket_policy(facts))
    assert resolved.document("Role", "PermissionsBoundary") == naming.names_of_cell(cell).boundary_arn
    assert resolved.document("Role", "RoleName") == naming.names_of(facts).access_role


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.partition)
def test_the_template_grants_one_role_and_no_other_access(cell: CellFacts) -> None:
    resources = yaml.load(tenant_template().text, Loader)["Resources"]
    guarded = [name for name, one in resources.items() if one["Type"].startswith("AWS::IAM::") or one["Type"].endswith("Policy")]
    assert sorted(guarded) == ["BucketPolicy", "Role"]
