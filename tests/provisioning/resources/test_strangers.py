"""What bears our name and not our tag is neither adopted nor changed nor deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from core.aws.errors import AwsAccessDeniedError
from provisioning.resources.base import Desired, NotOursError
from tenants.facts import IsolationModel, TenantFacts
from tests.provisioning.resources.world import BRIDGE, POOL, SILO, World

OPEN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]})
EMPTY_TEMPLATE = json.dumps({"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})

Make = Callable[[World, Mapping[str, Any], TenantFacts], object]

SHARED: dict[str, Callable[[World, Mapping[str, Any]], object]] = {
    "boundary": lambda w, spec: w.hand("iam").create_policy(
        PolicyName=spec["policy_name"], PolicyDocument=json.dumps(spec["document"])
    ),
    "bucket": lambda w, spec: _stranger_bucket(w, spec["bucket"]),
    "table": lambda w, spec: w.hand("dynamodb").create_table(
        TableName=spec["table"],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    ),
    "kms_key": lambda w, spec: _stranger_key(w, spec["alias"]),
    "access_role": lambda w, spec: w.hand("iam").create_role(RoleName=spec["role"], AssumeRolePolicyDocument=OPEN),
}
OWN: list[tuple[IsolationModel, str, Make]] = [
    (BRIDGE, "kms_key", lambda w, spec, tenant: _stranger_key(w, spec["alias"])),
    (
        BRIDGE,
        "access_role",
        lambda w, spec, tenant: w.hand("iam").create_role(RoleName=spec["role"], AssumeRolePolicyDocument=OPEN),
    ),
    (BRIDGE, "secret", lambda w, spec, tenant: w.hand("secretsmanager").create_secret(Name=spec["secret"], SecretString="theirs")),
    (BRIDGE, "log_group", lambda w, spec, tenant: w.hand("logs").create_log_group(logGroupName=spec["log_group"])),
    (
        POOL,
        "storage_prefix",
        lambda w, spec, tenant: w.hand("s3").put_object(Bucket=spec["bucket"], Key=spec["prefix"], Body=b"theirs"),
    ),
    (POOL, "administrator", lambda w, spec, tenant: _stranger_user(w, spec)),
    (
        SILO,
        "stack",
        lambda w, spec, tenant: w.hand("cloudformation").create_stack(StackName=spec["stack"], TemplateBody=EMPTY_TEMPLATE),
    ),
]


def _stranger_bucket(world: World, name: str) -> None:
    s3 = world.hand("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=name, Key="theirs", Body=b"theirs")


def _stranger_key(world: World, alias: str) -> None:
    kms = world.hand("kms")
    kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


def _stranger_user(world: World, spec: Mapping[str, Any]) -> None:
    pool_id = world.shared["user_pool", "shared"]["pool_id"]
    attributes = [{"Name": "custom:tenantId", "Value": "tnt_somebody_else"}]
    world.hand("cognito-idp").admin_create_user(UserPoolId=pool_id, Username=spec["username"], UserAttributes=attributes)


def _is_left_untouched(world: World, item: Desired, tenant: TenantFacts | None) -> None:
    if item.kind == "kms_key":  # IAM itself lets the control plane see no key without its tags
        for act in (world.ensure, world.observe, world.remove):
            with pytest.raises(AwsAccessDeniedError):
                act(item, tenant)
        return
    with pytest.raises(NotOursError):
        world.ensure(item, tenant)
    with pytest.raises(NotOursError):
        world.remove(item, tenant)
    assert world.observe(item, tenant).differences  # still there, and still not as promised


@pytest.mark.parametrize("kind", SHARED)
def test_a_cells(world: World, kind: str) -> None:
    items = world.desired_shared()
    if kind in ("access_role", "bucket"):
        world.prepare("boundary", "kms_key")
    SHARED[kind](world, items[kind].spec)
    _is_left_untouched(world, items[kind], None)


@pytest.mark.parametrize(("model", "kind", "make"), OWN, ids=[kind for _, kind, _ in OWN])
def test_a_tenants(town: World, model: IsolationModel, kind: str, make: Make) -> None:
    tenant = town.tenant(model)
    items = town.desired(tenant)
    for below in ("kms_key",) if kind in ("access_role", "secret", "stack") else ():
        town.ensure(items[below], tenant)
    make(town, items[kind].spec, tenant)
    _is_left_untouched(town, items[kind], tenant)


def test_a_pool_of_the_same_name_is_somebody_elses(town: World) -> None:
    tenant = town.tenant(BRIDGE)
    item = town.desired(tenant)["user_pool"]
    theirs = town.hand("cognito-idp").create_user_pool(PoolName=item.spec["pool_name"])["UserPool"]["Id"]
    ours = town.ensure(item, tenant)["pool_id"]
    assert ours != theirs
    town.remove(item, tenant)
    assert town.hand("cognito-idp").describe_user_pool(UserPoolId=theirs)["UserPool"]["Id"] == theirs
    town.rows[tenant.id]["user_pool", "own"] = {"pool_id": theirs}  # a tampered ledger
    _is_left_untouched(town, item, tenant)


def test_another_tenants_tag_is_a_strangers(town: World) -> None:
    one, two = town.tenant(BRIDGE), town.tenant(BRIDGE)
    mine, theirs = town.desired(one)["log_group"], town.desired(two)["log_group"]
    town.ensure(theirs, two)
    stolen = Desired(mine.kind, mine.name, {**theirs.spec, "tags": mine.spec["tags"]})
    _is_left_untouched(town, stolen, one)
    assert town.observe(theirs, two).is_as_promised
