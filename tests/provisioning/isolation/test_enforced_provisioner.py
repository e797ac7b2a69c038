"""What the control plane's own role may and may not do, tried call by call in the stand-in (features S6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioning.isolation import policies
from provisioning.isolation.documents import as_text
from tenants import naming
from tests.provisioning.isolation.doors import DENIED
from tests.provisioning.isolation.world import CELL, MODELS, Clients, Place, World, tenant_of
from tests.services import ACCOUNT_ID, REGION

NAMES = naming.names_of_cell(CELL)
NEW = naming.names_of(tenant_of(MODELS[2], 7))
TAGS = {naming.TAG_CELL: CELL.code, naming.TAG_MANAGED_BY: naming.MANAGED_BY}
TAG_LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]
OPEN_TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}'
ANYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def code_of(call: Callable[[], Any]) -> str:
    """The error code that AWS answered with, empty when it let the call through."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def _role(c: Clients) -> None:
    trust = as_text(policies.tenant_role_trust(tenant_of(MODELS[1], 8)))
    name = naming.names_of(tenant_of(MODELS[1], 8)).role
    c.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, PermissionsBoundary=NAMES.boundary_arn, Tags=TAG_LIST)
    c.iam.get_role(RoleName=name)
    c.iam.put_role_policy(RoleName=name, PolicyName="access", PolicyDocument=as_text(policies.suspended_policy()))
    c.iam.get_role_policy(RoleName=name, PolicyName="access")
    c.iam.list_role_policies(RoleName=name)
    c.iam.list_attached_role_policies(RoleName=name)
    c.iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    c.iam.tag_role(RoleName=name, Tags=TAG_LIST)
    c.iam.delete_role_policy(RoleName=name, PolicyName="access")
    c.iam.delete_role(RoleName=name)


def _boundary(c: Clients) -> None:
    document = as_text(policies.boundary_policy(CELL))
    c.iam.get_policy(PolicyArn=NAMES.boundary_arn)
    made = c.iam.create_policy_version(PolicyArn=NAMES.boundary_arn, PolicyDocument=document, SetAsDefault=True)["PolicyVersion"]
    c.iam.list_policy_versions(PolicyArn=NAMES.boundary_arn)
    c.iam.get_policy_version(PolicyArn=NAMES.boundary_arn, VersionId=made["VersionId"])
    c.iam.delete_policy_version(PolicyArn=NAMES.boundary_arn, VersionId="v1")
    c.iam.tag_policy(PolicyArn=NAMES.boundary_arn, Tags=TAG_LIST)
    c.iam.list_policy_tags(PolicyArn=NAMES.boundary_arn)


def _bucket(c: Clients) -> None:
    name = NEW.bucket
    c.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    c.s3.head_bucket(Bucket=name)
    c.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": TAG_LIST})
    c.s3.get_bucket_tagging(Bucket=name)
    c.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    c.s3.get_bucket_versioning(Bucket=name)
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    c.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    c.s3.get_bucket_encryption(Bucket=name)
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    c.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    c.s3.get_public_access_block(Bucket=name)
    c.s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    c.s3.get_bucket_ownership_controls(Bucket=name)
    c.s3.put_bucket_policy(Bucket=name, Policy=as_text(policies.own_bucket_policy(tenant_of(MODELS[2], 7))))
    c.s3.get_bucket_policy(Bucket=name)
    c.s3.delete_bucket_policy(Bucket=name)
    c.s3.put_object(Bucket=name, Key=NEW.storage_prefix, Body=b"")
    found = c.s3.list_object_versions(Bucket=name)["Versions"][0]
    doomed = {"Key": found["Key"], "VersionId": found["VersionId"]}
    c.s3.delete_objects(Bucket=name, Delete={"Objects": [doomed]})
    c.s3.delete_bucket(Bucket=name)


def _key(c: Clients) -> None:
    policy = as_text(policies.own_key_policy(tenant_of(MODELS[2], 7)))
    key = c.kms.create_key(Policy=policy, Tags=[{"TagKey": name, "TagValue": value} for name, value in TAGS.items()])
    key_id = key["KeyMetadata"]["KeyId"]
    c.kms.create_alias(AliasName=NEW.key_alias, TargetKeyId=key_id)
    c.kms.list_aliases()
    c.kms.describe_key(KeyId=key_id)
    c.kms.list_resource_tags(KeyId=key_id)
    c.kms.get_key_policy(KeyId=key_id, PolicyName="default")
    c.kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=policy)
    c.kms.enable_key_rotation(KeyId=key_id)
    c.kms.get_key_rotation_status(KeyId=key_id)
    c.kms.delete_alias(AliasName=NEW.key_alias)
    c.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    c.kms.cancel_key_deletion(KeyId=key_id)


def _secret(c: Clients) -> None:
    c.secretsmanager.create_secret(Name=NEW.api_secret, SecretString="x", Tags=TAG_LIST)
    c.secretsmanager.describe_secret(SecretId=NEW.api_secret)
    c.secretsmanager.put_secret_value(SecretId=NEW.api_secret, SecretString="y")
    c.secretsmanager.tag_resource(SecretId=NEW.api_secret, Tags=TAG_LIST)
    c.secretsmanager.delete_secret(SecretId=NEW.api_secret, ForceDeleteWithoutRecovery=True)


def _log_group(c: Clients) -> None:
    c.logs.create_log_group(logGroupName=NEW.log_group, tags=TAGS)
    c.logs.describe_log_groups(logGroupNamePrefix=NEW.log_path)
    c.logs.put_retention_policy(logGroupName=NEW.log_group, retentionInDays=30)
    c.logs.tag_resource(resourceArn=NEW.log_group_arn, tags=TAGS)
    c.logs.list_tags_for_resource(resourceArn=NEW.log_group_arn)
    c.logs.delete_log_group(logGroupName=NEW.log_group)


def _table(c: Clients) -> None:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "pk", "AttributeType": "S"}]
    c.dynamodb.create_table(
        TableName=NEW.table, KeySchema=keys, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST", Tags=TAG_LIST
    )
    c.dynamodb.describe_table(TableName=NEW.table)
    c.dynamodb.tag_resource(ResourceArn=NEW.table_arn, Tags=TAG_LIST)
    c.dynamodb.list_tags_of_resource(ResourceArn=NEW.table_arn)
    c.dynamodb.update_continuous_backups(TableName=NEW.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    c.dynamodb.describe_continuous_backups(TableName=NEW.table)
    c.dynamodb.delete_table(TableName=NEW.table)


def _pool(c: Clients) -> None:
    cognito = getattr(c, "cognito-idp")
    pool = cognito.create_user_pool(PoolName=NEW.user_pool, UserPoolTags=TAGS)["UserPool"]
    pool_id = pool["Id"]
    cognito.list_user_pools(MaxResults=10)
    cognito.describe_user_pool(UserPoolId=pool_id)
    cognito.list_tags_for_resource(ResourceArn=pool["Arn"])
    cognito.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OFF")
    client = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName=NEW.app_client)["UserPoolClient"]["ClientId"]
    cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=client)
    cognito.create_group(UserPoolId=pool_id, GroupName=NEW.group)
    cognito.admin_create_user(UserPoolId=pool_id, Username="ann", MessageAction="SUPPRESS")
    cognito.admin_get_user(UserPoolId=pool_id, Username="ann")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, Username="ann", GroupName=NEW.group)
    cognito.admin_list_groups_for_user(UserPoolId=pool_id, Username="ann")
    cognito.admin_disable_user(UserPoolId=pool_id, Username="ann")
    cognito.admin_user_global_sign_out(UserPoolId=pool_id, Username="ann")
    details = {"client_id": "x", "client_secret": "x", "oidc_issuer": "https://idp.example", "authorize_scopes": "openid"}
    provider = {"UserPoolId": pool_id, "ProviderName": naming.identity_provider(tenant_of(MODELS[2], 7), "oidc")}
    cognito.create_identity_provider(**provider, ProviderType="OIDC", ProviderDetails=details, AttributeMapping={"email": "email"})
    cognito.describe_identity_provider(**provider)
    cognito.update_identity_provider(**provider, ProviderDetails=details)
    cognito.delete_identity_provider(**provider)
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=NEW.pool_domain)
    cognito.describe_user_pool_domain(Domain=NEW.pool_domain)
    cognito.delete_user_pool_domain(UserPoolId=pool_id, Domain=NEW.pool_domain)
    cognito.delete_user_pool_client(UserPoolId=pool_id, ClientId=client)
    cognito.delete_user_pool(UserPoolId=pool_id)


def _stack(c: Clients) -> None:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"{NEW.log_path}other"}}
    template = json.dumps({"Resources": {"Group": group}})
    c.cloudformation.create_stack(StackName=NEW.stack, TemplateBody=template, Tags=TAG_LIST)
    c.cloudformation.describe_stacks(StackName=NEW.stack)
    c.cloudformation.describe_stack_events(StackName=NEW.stack)
    c.cloudformation.list_stack_resources(StackName=NEW.stack)
    c.cloudformation.delete_stack(StackName=NEW.stack)


ALLOWED = (_role, _boundary, _bucket, _key, _secret, _log_group, _table, _pool, _stack)


@pytest.mark.parametrize("work", ALLOWED, ids=lambda work: work.__name__.strip("_"))
def test_the_control_plane_can_do_its_work(world: World, work: Callable[[Clients], None]) -> None:
    work(world.provisioner)


Try = Callable[[Clients, Place], Any]
REFUSED: dict[str, Try] = {
    "make a role of another name": lambda c, p: c.iam.create_role(RoleName="admin", AssumeRolePolicyDocument=OPEN_TRUST),
    "change its own policy": lambda c, p: c.iam.put_role_policy(
        RoleName=NAMES.control_plane_role, PolicyName="least", PolicyDocument=ANYTHING
    ),
    "change its own trust": lambda c, p: c.iam.update_assume_role_policy(
        RoleName=NAMES.control_plane_role, PolicyDocument=OPEN_TRUST
    ),
    "take a boundary off": lambda c, p: c.iam.delete_role_permissions_boundary(RoleName=p.names.role),
    "attach a managed policy": lambda c, p: c.iam.attach_role_policy(
        RoleName=p.names.role, PolicyArn="arn:" + "aws:iam::aws:policy/AdministratorAccess"
    ),
    "make a user": lambda c, p: c.iam.create_user(UserName="mallory"),
    "make an access key": lambda c, p: c.iam.create_access_key(UserName="wall-base"),
    "become another cell's control plane": lambda c, p: c.sts.assume_role(
        RoleArn=f"arn:{CELL.partition}:iam::{ACCOUNT_ID}:role/cp-wall-two--control-plane", RoleSessionName="tests"
    ),
    "read a tenant's object": lambda c, p: c.s3.get_object(Bucket=p.names.storage_bucket, Key=f"{p.names.storage_prefix}object"),
    "write a tenant's object": lambda c, p: c.s3.put_object(
        Bucket=p.names.storage_bucket, Key=f"{p.names.storage_prefix}object", Body=b""
    ),
    "read a tenant's item": lambda c, p: c.dynamodb.get_item(
        TableName=p.names.data_table, Key={"pk": {"S": p.tenant.id}, "sk": {"S": "row"}}
    ),
    "decrypt with a tenant's key": lambda c, p: c.kms.decrypt(CiphertextBlob=p.ciphertext, EncryptionContext=p.context),
    "read a tenant's log": lambda c, p: c.logs.get_log_events(logGroupName=p.names.log_group, logStreamName="first"),
    "make a bucket of another cell": lambda c, p: c.s3.create_bucket(
        Bucket="cp-wall-two--shared", CreateBucketConfiguration={"LocationConstraint": REGION}
    ),
    "make a key without our tags": lambda c, p: c.kms.create_key(),
    "read a secret of another cell": lambda c, p: c.secretsmanager.describe_secret(SecretId="cp/wall-two/x"),
    "make a stack of another name": lambda c, p: c.cloudformation.create_stack(StackName="other", TemplateBody="{}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_control_plane_cannot(world: World, name: str) -> None:
    assert code_of(lambda: REFUSED[name](world.provisioner, world.places[MODELS[2], 1])) in DENIED


GAPS: dict[str, Try] = {
    "make another policy": lambda c, p: c.iam.create_policy(PolicyName="wide", PolicyDocument=ANYTHING),
    "make a role without the boundary": lambda c, p: c.iam.create_role(
        RoleName=naming.names_of(tenant_of(MODELS[1], 9)).role, AssumeRolePolicyDocument=OPEN_TRUST
    ),
    "make a pool without our tags": lambda c, p: getattr(c, "cognito-idp").create_user_pool(PoolName="any"),
    "read a stranger's pool": lambda c, p: getattr(c, "cognito-idp").describe_user_pool(UserPoolId=stranger(world_root(c))),
    "give a stranger's key an alias": lambda c, p: c.kms.create_alias(
        AliasName="alias/elsewhere", TargetKeyId=world_root(c).kms.create_key()["KeyMetadata"]["KeyId"]
    ),
    "tag a stranger's table": lambda c, p: c.dynamodb.tag_resource(ResourceArn=table(world_root(c)), Tags=TAG_LIST),
}
"""What AWS refuses by this policy and the stand-in lets through: it is asserted, so that a better stand-in is noticed."""


@pytest.mark.parametrize("name", GAPS)
def test_the_stand_in_lets_the_control_plane(world: World, name: str) -> None:
    assert code_of(lambda: GAPS[name](world.provisioner, world.places[MODELS[2], 1])) == ""


def world_root(clients: Clients) -> Clients:
    return Clients(clients.endpoint_url, "test", "test")


def table(root: Clients) -> str:
    keys = {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "pk", "AttributeType": "S"}
    made = root.dynamodb.create_table(
        TableName="stranger", KeySchema=[keys[0]], AttributeDefinitions=[keys[1]], BillingMode="PAY_PER_REQUEST"
    )
    return str(made["TableDescription"]["TableArn"])


def stranger(root: Clients) -> str:
    return str(getattr(root, "cognito-idp").create_user_pool(PoolName="stranger")["UserPool"]["Id"])


def test_the_base_user_can_only_become_the_control_plane(world: World) -> None:
    other = replace(CELL, code="wall-two")
    assert policies.base_user_policy([CELL])["Statement"][0]["Resource"] == [NAMES.control_plane_role_arn]
    assert naming.names_of_cell(other).control_plane_role_arn not in as_text(policies.base_user_policy([CELL]))
