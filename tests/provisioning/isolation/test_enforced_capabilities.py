"""Each capability that the embedded cell lacks is probed: what the stand-in still cannot do is asserted, so that the day it can is noticed.

Every probe gives a role the document as AWS would see it (all capabilities on) and finds that the stand-in refuses its rightful owner,
or, for the boundary's condition, the control plane.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioning.isolation import policies
from provisioning.isolation.access import access_statements, scope_of
from provisioning.isolation.documents import as_text
from tenants.facts import Capabilities, TenantFacts
from tests.provisioning.isolation.doors import ITEMS, KEYS, OBJECTS, is_open
from tests.provisioning.isolation.test_enforced import GAPS
from tests.provisioning.isolation.test_enforced_provisioner import OPEN_TRUST
from tests.provisioning.isolation.world import CELL, MODELS, Clients, Place, World

POOL, BRIDGE, SILO = MODELS
REAL = dataclasses.replace(CELL, capabilities=Capabilities())


def _with(world: World, name: str, document: dict[str, Any], tag: str = "") -> Clients:
    """A session of a new role that has this policy and nothing else."""
    world.root.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_tagging_trust())
    world.root.iam.put_role_policy(RoleName=name, PolicyName="probe", PolicyDocument=as_text(document))
    tags = [{"Key": "controlplane:tenant", "Value": tag}] if tag else []
    account = world.root.sts.get_caller_identity()["Account"]
    role = f"arn:{CELL.partition}:iam::{account}:role/{name}"
    given = world.root.sts.assume_role(RoleArn=role, RoleSessionName="probe", Tags=tags)["Credentials"]
    return Clients(world.endpoint_url, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _tagging_trust() -> str:
    trust = json.loads(OPEN_TRUST)
    trust["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    return json.dumps(trust)


def _only(tenant: TenantFacts, key_arn: str, **capabilities: bool) -> dict[str, Any]:
    """The tenant's policy with the named capabilities on and the others off."""
    cell = dataclasses.replace(CELL, capabilities=dataclasses.replace(CELL.capabilities, **capabilities))
    scope = scope_of(dataclasses.replace(tenant, cell=cell), key_arn=key_arn)
    return {"Version": "2012-10-17", "Statement": access_statements(scope)}


@pytest.fixture
def home(world: World) -> Place:
    return world.places[POOL, 1]


@pytest.fixture
def key_arn(world: World, home: Place) -> str:
    return str(world.root.kms.describe_key(KeyId=home.key_id)["KeyMetadata"]["Arn"])


def test_policy_variables_are_not_substituted(world: World, home: Place, key_arn: str) -> None:
    clients = _with(world, "probe-variables", policies.pool_role_policy(REAL, key_arn=key_arn), tag=home.tenant.id)
    assert not is_open(OBJECTS[0], clients, home, home)


def test_leading_keys_are_not_filled_in(world: World, home: Place, key_arn: str) -> None:
    assert is_open(ITEMS[0], _with(world, "probe-items-off", _only(home.tenant, key_arn)), home, home)
    assert not is_open(ITEMS[0], _with(world, "probe-items-on", _only(home.tenant, key_arn, leading_keys=True)), home, home)


def test_the_encryption_context_is_not_filled_in(world: World, home: Place, key_arn: str) -> None:
    assert is_open(KEYS[0], _with(world, "probe-key-off", _only(home.tenant, key_arn), tag=home.tenant.id), home, home)
    clients = _with(world, "probe-key-on", _only(home.tenant, key_arn, encryption_context=True), tag=home.tenant.id)
    assert not is_open(KEYS[0], clients, home, home)


def test_plain_http_cannot_obey_a_tls_only_bucket(world: World) -> None:
    tenant = dataclasses.replace(world.places[SILO, 2].tenant, cell=REAL)
    world.root.s3.create_bucket(Bucket="cp-wall--probe-tls", CreateBucketConfiguration={"LocationConstraint": CELL.region})
    document = as_text(policies.own_bucket_policy(tenant)).replace(world.places[SILO, 2].names.bucket, "cp-wall--probe-tls")
    world.root.s3.put_bucket_policy(Bucket="cp-wall--probe-tls", Policy=document)
    with pytest.raises(ClientError, match="AccessDenied"):
        world.provisioner.s3.list_objects_v2(Bucket="cp-wall--probe-tls")


def test_the_boundary_condition_is_not_filled_in(world: World) -> None:
    from provisioning.isolation.provisioner import provisioner_policy
    from tenants import naming
    from tests.provisioning.isolation.world import tenant_of

    clients = _with(world, "probe-boundary", provisioner_policy(REAL))
    names = naming.names_of_cell(CELL)
    with pytest.raises(ClientError, match="AccessDenied"):
        clients.iam.create_role(
            RoleName=naming.names_of(tenant_of(BRIDGE, 3)).role,
            AssumeRolePolicyDocument=OPEN_TRUST,
            PermissionsBoundary=names.boundary_arn,
        )


def test_the_embedded_cell_claims_nothing_that_the_stand_in_lacks() -> None:
    assert not any(dataclasses.asdict(CELL.capabilities).values())
    assert all(dataclasses.asdict(REAL.capabilities).values())


def test_the_page_on_fidelity_names_every_capability_and_every_door_with_a_gap() -> None:
    page = (Path(__file__).parents[3] / "docs" / "fidelity.md").read_text()
    assert [name for name in Capabilities.__slots__ if f"| `{name}` |" not in page] == []
    assert {reason.split()[0] for reason in GAPS.values()} == {"dynamodb:LeadingKeys", "kms:EncryptionContext"}
