"""Whatever somebody changes by hand is named in words, and set right by the next ensure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from provisioning.resources.base import Desired
from tenants.facts import IsolationModel, TenantFacts
from tests.provisioning.resources.world import BRIDGE, POOL, SILO, World

OTHER = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
OTHER_TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}

Row = Mapping[str, Any]
People = dict[IsolationModel, TenantFacts]
Change = Callable[[World, Mapping[str, Any], Row], object]


def _retag(tags: Mapping[str, str]) -> dict[str, str]:
    return {**tags, "controlplane:environment": "elsewhere"}


def _pairs(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in _retag(tags).items()]


def _user_pool(**values: Any) -> Change:
    return lambda w, spec, row: w.hand("cognito-idp").update_user_pool(UserPoolId=row["pool_id"], **values)


def _app_client(**values: Any) -> Change:
    return lambda w, spec, row: w.hand("cognito-idp").update_user_pool_client(
        UserPoolId=row["pool_id"], ClientId=row["client_id"], **values
    )


def _user(**attributes: str) -> Change:
    pairs = [{"Name": name.replace("_", ":"), "Value": value} for name, value in attributes.items()]
    return lambda w, spec, row: w.hand("cognito-idp").admin_update_user_attributes(
        UserPoolId=row["pool_id"], Username=row["username"], UserAttributes=pairs
    )


SHARED: list[tuple[str, str, Change]] = [
    (
        "boundary",
        "the policy is not the promised document",
        lambda w, spec, row: w.hand("iam").create_policy_version(
            PolicyArn=row["arn"], PolicyDocument=json.dumps(OTHER), SetAsDefault=True
        ),
    ),
    (
        "boundary",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("iam").tag_policy(PolicyArn=row["arn"], Tags=_pairs(spec["tags"])),
    ),
    ("kms_key", "yearly rotation is off", lambda w, spec, row: w.hand("kms").disable_key_rotation(KeyId=row["key_id"])),
    ("kms_key", "state is Disabled", lambda w, spec, row: w.hand("kms").disable_key(KeyId=row["key_id"])),
    ("kms_key", "alias", lambda w, spec, row: w.hand("kms").delete_alias(AliasName=spec["alias"])),
    (
        "kms_key",
        "alias",
        lambda w, spec, row: w.hand("kms").update_alias(
            AliasName=spec["alias"], TargetKeyId=w.hand("kms").create_key()["KeyMetadata"]["KeyId"]
        ),
    ),
    (
        "kms_key",
        "the key policy is not the promised document",
        lambda w, spec, row: w.hand("kms").put_key_policy(
            KeyId=row["key_id"],
            PolicyName="default",
            Policy=json.dumps(
                {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
            ),
        ),
    ),
    (
        "kms_key",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("kms").tag_resource(KeyId=row["key_id"], Tags=_pairs(spec["tags"], "TagKey", "TagValue")),
    ),
    (
        "bucket",
        "versioning is off",
        lambda w, spec, row: w.hand("s3").put_bucket_versioning(
            Bucket=row["bucket"], VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    ("bucket", "encryption is", lambda w, spec, row: w.hand("s3").delete_bucket_encryption(Bucket=row["bucket"])),
    ("bucket", "block of public access is off", lambda w, spec, row: w.hand("s3").delete_public_access_block(Bucket=row["bucket"])),
    (
        "bucket",
        "ownership by the bucket's owner is off",
        lambda w, spec, row: w.hand("s3").delete_bucket_ownership_controls(Bucket=row["bucket"]),
    ),
    (
        "bucket",
        "there is a bucket policy",
        lambda w, spec, row: w.hand("s3").put_bucket_policy(
            Bucket=row["bucket"],
            Policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:GetObject",
                            "Resource": f"arn:aws:s3:::{row['bucket']}/x",
                        }
                    ],
                }
            ),
        ),
    ),
    (
        "bucket",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("s3").put_bucket_tagging(Bucket=row["bucket"], Tagging={"TagSet": _pairs(spec["tags"])}),
    ),
    (
        "table",
        "point-in-time recovery is off",
        lambda w, spec, row: w.hand("dynamodb").update_continuous_backups(
            TableName=row["table"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
        ),
    ),
    (
        "table",
        "deletion protection is off",
        lambda w, spec, row: w.hand("dynamodb").update_table(TableName=row["table"], DeletionProtectionEnabled=False),
    ),
    (
        "table",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("dynamodb").tag_resource(ResourceArn=row["arn"], Tags=_pairs(spec["tags"])),
    ),
    ("user_pool", "deletion protection is off", _user_pool(DeletionProtection="INACTIVE")),
    ("user_pool", "invite only is off", _user_pool(AdminCreateUserConfig={"AllowAdminCreateUserOnly": False})),
    ("user_pool", "password min length is 6", _user_pool(Policies={"PasswordPolicy": {"MinimumLength": 6}})),
    ("user_pool", "second factor is OFF", _user_pool(MfaConfiguration="OFF")),
    (
        "user_pool",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("cognito-idp").tag_resource(ResourceArn=row["arn"], Tags=_retag(spec["tags"])),
    ),
    (
        "access_role",
        "the trust policy is not the promised document",
        lambda w, spec, row: w.hand("iam").update_assume_role_policy(RoleName=row["role"], PolicyDocument=json.dumps(OTHER_TRUST)),
    ),
]
OWN: list[tuple[IsolationModel, str, str, Change]] = [
    (POOL, "app_client", "auth flows is ALLOW_USER_PASSWORD_AUTH", _app_client(ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"])),
    (POOL, "app_client", "access token minutes is 600", _app_client(AccessTokenValidity=600)),
    (POOL, "app_client", "refresh token days is 30", _app_client(RefreshTokenValidity=30)),
    (POOL, "app_client", "write attributes is custom:tenantTier, name", _app_client(WriteAttributes=["name", "custom:tenantTier"])),
    (POOL, "app_client", "hides unknown users is off", _app_client(PreventUserExistenceErrors="LEGACY")),
    (POOL, "app_client", "revokes tokens is off", _app_client(EnableTokenRevocation=False)),
    (POOL, "app_client", "name is changed", _app_client(ClientName="changed")),
    (POOL, "administrator", "email is eve@example.org", _user(email="eve@example.org")),
    (POOL, "administrator", "custom:tenantTier is premium", _user(custom_tenantTier="premium")),
    (POOL, "administrator", "custom:userRole is viewer", _user(custom_userRole="viewer")),
    (POOL, "administrator", "name is Eve", _user(name="Eve")),
    (
        POOL,
        "administrator",
        "enabled is off",
        lambda w, spec, row: w.hand("cognito-idp").admin_disable_user(UserPoolId=row["pool_id"], Username=row["username"]),
    ),
    (
        POOL,
        "administrator",
        "is missing",
        lambda w, spec, row: w.hand("cognito-idp").admin_remove_user_from_group(
            UserPoolId=row["pool_id"], Username=row["username"], GroupName=spec["group"]
        ),
    ),
    (
        POOL,
        "storage_prefix",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("s3").put_object_tagging(
            Bucket=row["bucket"], Key=row["prefix"], Tagging={"TagSet": _pairs(spec["tags"])}
        ),
    ),
    (
        BRIDGE,
        "access_role",
        "the access policy is not the promised document",
        lambda w, spec, row: w.hand("iam").put_role_policy(
            RoleName=row["role"], PolicyName="access", PolicyDocument=json.dumps(OTHER)
        ),
    ),
    (
        BRIDGE,
        "access_role",
        "the access policy is missing",
        lambda w, spec, row: w.hand("iam").delete_role_policy(RoleName=row["role"], PolicyName="access"),
    ),
    (
        BRIDGE,
        "access_role",
        "inline policy more was added by somebody else",
        lambda w, spec, row: w.hand("iam").put_role_policy(
            RoleName=row["role"], PolicyName="more", PolicyDocument=json.dumps(OTHER)
        ),
    ),
    (
        BRIDGE,
        "access_role",
        "attached policy",
        lambda w, spec, row: w.hand("iam").attach_role_policy(
            RoleName=row["role"], PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    ),
    (
        BRIDGE,
        "access_role",
        "boundary is missing",
        lambda w, spec, row: w.hand("iam").delete_role_permissions_boundary(RoleName=row["role"]),
    ),
    (
        BRIDGE,
        "access_role",
        "the trust policy is not the promised document",
        lambda w, spec, row: w.hand("iam").update_assume_role_policy(RoleName=row["role"], PolicyDocument=json.dumps(OTHER_TRUST)),
    ),
    (
        BRIDGE,
        "secret",
        "description is",
        lambda w, spec, row: w.hand("secretsmanager").update_secret(SecretId=row["arn"], Description="changed"),
    ),
    (
        BRIDGE,
        "secret",
        "KMS key is alias/elsewhere",
        lambda w, spec, row: w.hand("secretsmanager").update_secret(SecretId=row["arn"], KmsKeyId="alias/elsewhere"),
    ),
    (
        BRIDGE,
        "secret",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("secretsmanager").tag_resource(SecretId=row["arn"], Tags=_pairs(spec["tags"])),
    ),
    (
        BRIDGE,
        "log_group",
        "retention in days is 1",
        lambda w, spec, row: w.hand("logs").put_retention_policy(logGroupName=row["log_group"], retentionInDays=1),
    ),
    (
        BRIDGE,
        "log_group",
        "retention in days is unlimited",
        lambda w, spec, row: w.hand("logs").delete_retention_policy(logGroupName=row["log_group"]),
    ),
    (
        BRIDGE,
        "log_group",
        "tag controlplane:environment is elsewhere",
        lambda w, spec, row: w.hand("logs").tag_resource(resourceArn=spec["arn"], tags=_retag(spec["tags"])),
    ),
]
STACK: list[tuple[str, Change]] = [
    (
        "bucket: versioning is off",
        lambda w, spec, row: w.hand("s3").put_bucket_versioning(
            Bucket=row["bucket"], VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    ("bucket is missing", lambda w, spec, row: w.hand("s3").delete_bucket(Bucket=row["bucket"])),
    (
        "table: deletion protection is off",
        lambda w, spec, row: w.hand("dynamodb").update_table(TableName=row["table"], DeletionProtectionEnabled=False),
    ),
    (
        "log group: retention in days is 1",
        lambda w, spec, row: w.hand("logs").put_retention_policy(logGroupName=row["log_group"], retentionInDays=1),
    ),
    ("log group is missing", lambda w, spec, row: w.hand("logs").delete_log_group(logGroupName=row["log_group"])),
    (
        "access role: the access policy is not the promised document",
        lambda w, spec, row: w.hand("iam").put_role_policy(
            RoleName=row["role"], PolicyName="access", PolicyDocument=json.dumps(OTHER)
        ),
    ),
    (
        "access role: boundary is missing",
        lambda w, spec, row: w.hand("iam").delete_role_permissions_boundary(RoleName=row["role"]),
    ),
    (
        "termination protection is off",
        lambda w, spec, row: w.hand("cloudformation").update_termination_protection(
            StackName=spec["stack"], EnableTerminationProtection=False
        ),
    ),
    ("deployment is", lambda w, spec, row: _another_deployment(w, spec)),
]


def _another_deployment(world: World, spec: Mapping[str, Any]) -> None:
    stacks = world.hand("cloudformation")
    given = stacks.describe_stacks(StackName=spec["stack"])["Stacks"][0]["Parameters"]
    other = [{**item, "ParameterValue": "0" * 64} if item["ParameterKey"] == "Deployment" else item for item in given]
    stacks.update_stack(StackName=spec["stack"], UsePreviousTemplate=True, Parameters=other, Capabilities=["CAPABILITY_NAMED_IAM"])


def _is_named_and_healed(world: World, item: Desired, tenant: TenantFacts | None, says: str, change: Change) -> None:
    row = (world.shared if tenant is None else world.rows[tenant.id])[item.kind, item.name]
    change(world, item.spec, row)
    seen = world.observe(item, tenant)
    assert seen.present
    assert any(says in difference for difference in seen.differences), seen.differences
    healed = world.ensure(item, tenant)
    assert world.observe(item, tenant).is_as_promised, world.observe(item, tenant)
    assert {key: healed[key] for key in row if key != "status"} == {key: row[key] for key in row if key != "status"}


@pytest.fixture(scope="module")
def people(town: World) -> dict[IsolationModel, TenantFacts]:
    """A tenant of each model in it."""
    made = {model: town.tenant(model) for model in (POOL, BRIDGE, SILO)}
    for tenant in made.values():
        town.onboard(tenant)
    return made


@pytest.mark.parametrize(("kind", "says", "change"), SHARED, ids=[f"{kind}: {says}" for kind, says, _ in SHARED])
def test_a_cells(town: World, kind: str, says: str, change: Change) -> None:
    _is_named_and_healed(town, town.desired_shared()[kind], None, says, change)


@pytest.mark.parametrize(("model", "kind", "says", "change"), OWN, ids=[f"{kind}: {says}" for _, kind, says, _ in OWN])
def test_a_tenants(town: World, people: People, model: IsolationModel, kind: str, says: str, change: Change) -> None:
    _is_named_and_healed(town, town.desired(people[model])[kind], people[model], says, change)


@pytest.mark.parametrize(("says", "change"), STACK, ids=[says for says, _ in STACK])
def test_a_stacks(town: World, people: People, says: str, change: Change) -> None:
    _is_named_and_healed(town, town.desired(people[SILO])["stack"], people[SILO], says, change)


GONE: list[tuple[str, Change]] = [
    (
        "user_group",
        lambda w, spec, row: w.hand("cognito-idp").delete_group(UserPoolId=row["pool_id"], GroupName=spec["group_name"]),
    ),
    (
        "app_client",
        lambda w, spec, row: w.hand("cognito-idp").delete_user_pool_client(UserPoolId=row["pool_id"], ClientId=row["client_id"]),
    ),
    (
        "administrator",
        lambda w, spec, row: w.hand("cognito-idp").admin_delete_user(UserPoolId=row["pool_id"], Username=row["username"]),
    ),
    ("storage_prefix", lambda w, spec, row: w.hand("s3").delete_object(Bucket=row["bucket"], Key=row["prefix"])),
    (
        "secret",
        lambda w, spec, row: w.hand("secretsmanager").delete_secret(SecretId=row["arn"], ForceDeleteWithoutRecovery=True),
    ),
    ("secret", lambda w, spec, row: w.hand("secretsmanager").delete_secret(SecretId=row["arn"])),
    ("log_group", lambda w, spec, row: w.hand("logs").delete_log_group(logGroupName=row["log_group"])),
]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(("kind", "delete"), GONE, ids=[kind for kind, _ in GONE])
def test_what_was_deleted_is_seen_to_be_gone_and_made_again(
    town: World, people: People, kind: str, delete: Change, fresh: bool
) -> None:
    world, tenant = town, people[POOL]
    wanted = world.desired(tenant)
    delete(world, wanted[kind].spec, world.rows[tenant.id][kind, wanted[kind].name])
    assert not world.observe(wanted[kind], tenant).present
    world.ensure(wanted[kind], tenant, fresh=fresh)
    assert world.observe(wanted[kind], tenant).is_as_promised


def test_a_key_that_waits_for_deletion_is_gone_and_comes_back_as_the_same_key(world: World) -> None:
    tenant = world.tenant(BRIDGE)
    wanted = world.onboard(tenant, until="kms_key")["kms_key"]
    row = world.rows[tenant.id]["kms_key", "own"]
    world.hand("kms").schedule_key_deletion(KeyId=row["key_id"], PendingWindowInDays=7)
    assert not world.observe(wanted, tenant).present
    world.ensure(wanted, tenant)
    assert world.observe(wanted, tenant).is_as_promised
    assert world.rows[tenant.id]["kms_key", "own"] == row
