"""The tenant's template says what the policies say, names no partition, and satisfies CloudFormation's linter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provisioning.isolation import policies
from provisioning.isolation.platform import control_plane_template
from provisioning.resources import bucket, log_group, stack, table
from provisioning.resources.template import TENANT_TEMPLATE, tenant_template
from tenants.facts import Capabilities, CellFacts, TenantFacts
from tenants.naming import arn, names_of, names_of_cell
from tests.provisioning.resources.cfn import resources_of, same
from tests.provisioning.resources.world import SILO, tenant_facts

TEMPLATES = TENANT_TEMPLATE.parents[1]
CELLS = [
    CellFacts("c", "prod", "production", "aws", "eu-central-1", "123456789012"),
    CellFacts("c", "gov", "production", "aws-us-gov", "us-gov-west-1", "123456789012"),
    CellFacts("c", "cn", "production", "aws-cn", "cn-north-1", "123456789012"),
    CellFacts("c", "local", "dev", "aws", "eu-central-1", "000000000000", "", Capabilities(tls=False, encryption_context=False)),
]


def made_for(tenant: TenantFacts) -> dict[str, Any]:
    """The tenant template's resources as CloudFormation would make them for this tenant."""
    (wanted,) = stack.shape(tenant)
    parameters = {**wanted.spec["parameters"], "KeyArn": key_arn(tenant), "Deployment": "0" * 64}
    return resources_of(tenant_template().text, parameters, tenant.cell)


def key_arn(tenant: TenantFacts) -> str:
    return arn(tenant.cell, "kms", "key/0a1b2c3d")


@pytest.mark.parametrize("state", ["active", "suspended", "offboarding"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.code)
def test_the_roles_documents_are_those_of_the_policies(cell: CellFacts, state: str) -> None:
    tenant = tenant_facts(cell, SILO, state=state)
    role = made_for(tenant)["Role"]["Properties"]
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
    made = made_for(tenant)
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


def test_the_platform_template_is_what_the_code_writes() -> None:
    assert (TEMPLATES / "platform" / "control-plane.yaml").read_text() == control_plane_template()


@pytest.mark.parametrize("cell", CELLS[:3], ids=lambda cell: cell.code)
def test_the_platforms_documents_are_those_of_the_policies(cell: CellFacts) -> None:
    base = arn(cell, "iam", "role/web", region=False)
    made = resources_of(control_plane_template(), {"CellCode": cell.code, "BaseIdentityArn": base}, cell)
    role = made["ControlPlane"]["Properties"]
    assert role["RoleName"] == names_of_cell(cell).control_plane_role
    assert same(role["AssumeRolePolicyDocument"], policies.control_plane_trust(cell, base))
    (inline,) = role["Policies"]
    assert same(inline["PolicyDocument"], policies.provisioner_policy(cell))
    assert same(made["BecomeControlPlane"]["Properties"]["PolicyDocument"], policies.base_user_policy([cell]))


CLOUDFORMATION = sorted(path for folder in ("tenant", "platform") for path in (TEMPLATES / folder).rglob("*.yaml"))


@pytest.mark.parametrize("path", CLOUDFORMATION, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_template_names_no_partition_and_pleases_the_linter(path: Path) -> None:
    assert not re.search(r"arn:aws[a-z-]*:", path.read_text())
    run = subprocess.run([Path(sys.executable).with_name("cfn-lint"), path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
