"""The tenant's template says what the policies say, names no partition, and satisfies CloudFormation's linter."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning.isolation import policies
from provisioning.resources import bucket, log_group, stack, table
from provisioning.resources.differences import canonical
from provisioning.resources.template import TENANT_TEMPLATE, tenant_template
from tenants.facts import Capabilities, CellFacts, TenantFacts
from tenants.naming import arn, names_of
from tenants.partitions import partition_of
from tests.provisioning.resources.world import SILO, tenant_facts

TEMPLATES = TENANT_TEMPLATE.parents[1]
CELLS = [
    CellFacts("c", "prod", "production", "aws", "eu-central-1", "123456789012"),
    CellFacts("c", "gov", "production", "aws-us-gov", "us-gov-west-1", "123456789012"),
    CellFacts("c", "cn", "production", "aws-cn", "cn-north-1", "123456789012"),
    CellFacts("c", "local", "dev", "aws", "eu-central-1", "000000000000", "", Capabilities(tls=False, encryption_context=False)),
]
NOTHING = object()


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def _short(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    name = "Ref" if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


Loader.add_multi_constructor("!", _short)


class Resolver:
    """Does what CloudFormation does with the functions that our templates use, and refuses any other."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], cell: CellFacts) -> None:
        partition = partition_of(cell.partition)
        assert partition is not None
        self.values = {
            **{name: str(given["Default"]) for name, given in template["Parameters"].items() if "Default" in given},
            **parameters,
            "AWS::Partition": cell.partition,
            "AWS::Region": cell.region,
            "AWS::AccountId": cell.account_id,
            "AWS::URLSuffix": partition.dns_suffix,
        }
        self.conditions = {name: self(value) for name, value in template.get("Conditions", {}).items()}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref":
                return NOTHING if argument == "AWS::NoValue" else self.values.get(argument, argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NOTHING}

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda found: self.values[found[1]], argument)
        if name == "Fn::If":
            return self(argument[1] if self.conditions[argument[0]] else argument[2])
        if name == "Fn::Equals":
            return self(argument[0]) == self(argument[1])
        raise AssertionError(f"{name} is not used in our templates")


def resources_of(tenant: TenantFacts) -> dict[str, Any]:
    """The template's resources as CloudFormation would make them for this tenant."""
    (wanted,) = stack.shape(tenant)
    parameters = {**wanted.spec["parameters"], "KeyArn": key_arn(tenant), "Deployment": "0" * 64}
    template = yaml.load(tenant_template().text, Loader)
    assert set(parameters) == set(template["Parameters"])
    for name, value in parameters.items():
        pattern = template["Parameters"][name].get("AllowedPattern")
        assert pattern is None or re.fullmatch(pattern, value), (name, value)
    resolved: dict[str, Any] = Resolver(template, parameters, tenant.cell)(template["Resources"])
    return resolved


def key_arn(tenant: TenantFacts) -> str:
    return arn(tenant.cell, "kms", "key/0a1b2c3d")


def same(found: Any, promised: Any) -> bool:
    return json.dumps(canonical(found), sort_keys=True) == json.dumps(canonical(promised), sort_keys=True)


@pytest.mark.parametrize("state", ["active", "suspended", "offboarding"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.code)
def test_the_roles_documents_are_those_of_the_policies(cell: CellFacts, state: str) -> None:
    tenant = tenant_facts(cell, SILO, state=state)
    role = resources_of(tenant)["Role"]["Properties"]
    (inline,) = role["Policies"]
    assert inline["PolicyName"] == "access"
    promised = policies.role_policy(tenant, key_arn=key_arn(tenant))
    assert same(inline["PolicyDocument"], promised)
    if state == "active":
        assert promised == policies.silo_role_policy(tenant, key_arn=key_arn(tenant))
    assert same(role["AssumeRolePolicyDocument"], policies.tenant_role_trust(tenant))
    assert role["RoleName"] == names_of(tenant).role
    assert role["PermissionsBoundary"].endswith(":policy/" + role["PermissionsBoundary"].split("/")[-1])


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.code)
def test_the_data_resources_are_those_that_are_read_back(cell: CellFacts) -> None:
    tenant = tenant_facts(cell, SILO)
    made = resources_of(tenant)
    assert same(made["BucketPolicy"]["Properties"]["PolicyDocument"], policies.own_bucket_policy(tenant))
    rule = made["Bucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn(tenant)}
    assert rule["BucketKeyEnabled"] is bucket.spec_of(tenant)["bucket_key"]
    assert made["Bucket"]["Properties"]["BucketName"] == bucket.spec_of(tenant)["bucket"]
    keys = [key["AttributeName"] for key in made["Table"]["Properties"]["KeySchema"]]
    promised = table.spec_of(tenant)
    assert keys == [promised["partition_key"], promised["sort_key"]]
    assert made["Table"]["Properties"]["DeletionProtectionEnabled"] is promised["deletion_protection"]
    assert made["LogGroup"]["Properties"]["LogGroupName"] == log_group.spec_of(tenant)["log_group"]
    assert int(made["LogGroup"]["Properties"]["RetentionInDays"]) == log_group.spec_of(tenant)["retention_days"]


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_template_names_no_partition_and_pleases_the_linter(path: Path) -> None:
    assert not re.search(r"arn:aws[a-z-]*:", path.read_text())
    run = subprocess.run([Path(sys.executable).with_name("cfn-lint"), path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
