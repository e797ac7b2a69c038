"""Six tenants, two of each isolation model, furnished in the stand-in from the product's own documents.

Root makes the places; nothing is tried as root. Ids of one model differ in their last character only, and each tenant has a twin prefix
beside its own (its id and one more character) that belongs to nobody: what a missing slash would open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from controlplane.embedded.bootstrap import STANDIN_CAPABILITIES
from core.actors import operator
from core.aws.session import Aws, Target, connect
from provisioning.isolation import policies
from provisioning.isolation.access import CONTEXT_KEY
from provisioning.isolation.documents import Document, as_text, fill_key
from provisioning.isolation.vending import vend
from tenants import naming
from tenants.facts import CellFacts, IsolationModel, TenantFacts, TierFacts
from tests.services import ACCOUNT_ID, REGION

CELL = CellFacts("cell_wall", "wall", "dev", "aws", REGION, ACCOUNT_ID, capabilities=STANDIN_CAPABILITIES)
"""A cell of these tests' own: what other tests make in the same stand-in bears other names."""

MODELS = (IsolationModel.POOL, IsolationModel.BRIDGE, IsolationModel.SILO)
_BODY = {
    IsolationModel.POOL: "01kaqacme".ljust(25, "0"),
    IsolationModel.BRIDGE: "01kaqbrdge".ljust(25, "0"),
    IsolationModel.SILO: "01kaqs10".ljust(25, "0"),
}


@dataclass
class Place:
    """Where a tenant's data is, as AWS knows it."""

    tenant: TenantFacts
    names: naming.TenantNames
    key_id: str
    ciphertext: bytes = b""

    @property
    def context(self) -> dict[str, str]:
        return {CONTEXT_KEY.removeprefix("kms:EncryptionContext:"): self.tenant.id}


@dataclass
class World:
    """The furnished cell: places and vended clients by (model, number)."""

    endpoint_url: str
    root: Clients
    aws: Aws
    provisioner: Clients
    cell: CellFacts = CELL
    places: dict[tuple[IsolationModel, int], Place] = field(default_factory=dict)
    clients: dict[tuple[IsolationModel, int], Clients] = field(default_factory=dict)


@dataclass
class Clients:
    """Plain boto3 clients of one identity, made when asked for."""

    endpoint_url: str
    access_key: str
    secret_key: str
    token: str | None = None
    made: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        if service not in self.made:
            session = boto3.session.Session(self.access_key, self.secret_key, self.token, region_name=REGION)
            config = Config(retries={"mode": "legacy", "max_attempts": 0}, s3={"addressing_style": "path"})
            self.made[service] = session.client(service, endpoint_url=self.endpoint_url, config=config)
        return self.made[service]


def tenant_of(model: IsolationModel, number: int, cell: CellFacts = CELL, state: str = "active") -> TenantFacts:
    """A tenant of the cast with a fixed id; neighbours differ in the last character."""
    slug = f"{model}-{number}"
    return TenantFacts(f"tnt_{_BODY[model]}{number}", slug, slug, state, TierFacts("any", model), cell, "a@example.com")


def furnish(endpoint_url: str) -> World:
    """Make everything, in an empty stand-in, and vend each tenant's credentials through the product under the control plane's own role."""
    root = Clients(endpoint_url, "test", "test")
    provisioner = _control_plane(root)
    aws = connect(Target("aws", REGION, ACCOUNT_ID, "", endpoint_url), session_name="tests")
    world = World(
        endpoint_url, root, aws.with_credentials(provisioner.access_key, provisioner.secret_key, provisioner.token), provisioner
    )
    shared_key = _furnish_cell(world)
    for model in MODELS:
        for number in (1, 2):
            world.places[model, number] = furnish_tenant(root, tenant_of(model, number), shared_key)
    for key, place in world.places.items():
        given = vend(world.aws, place.tenant, operator("ada"))
        world.clients[key] = Clients(endpoint_url, given.access_key, given.secret_key, given.token)
    return world


def _control_plane(root: Clients) -> Clients:
    """A base user that may do one thing, and the session of the control plane's role that it assumes."""
    user = root.iam.create_user(UserName="wall-base")["User"]
    root.iam.put_user_policy(UserName="wall-base", PolicyName="base", PolicyDocument=as_text(policies.base_user_policy([CELL])))
    key = root.iam.create_access_key(UserName="wall-base")["AccessKey"]
    names = naming.names_of_cell(CELL)
    trust = policies.control_plane_trust(CELL, user["Arn"])
    root.iam.create_role(RoleName=names.control_plane_role, AssumeRolePolicyDocument=as_text(trust))
    root.iam.put_role_policy(
        RoleName=names.control_plane_role, PolicyName="least", PolicyDocument=as_text(policies.provisioner_policy(CELL))
    )
    base = Clients(root.endpoint_url, key["AccessKeyId"], key["SecretAccessKey"])
    given = base.sts.assume_role(RoleArn=names.control_plane_role_arn, RoleSessionName="tests")["Credentials"]
    return Clients(root.endpoint_url, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _furnish_cell(world: World) -> str:
    names, root, cell = naming.names_of_cell(world.cell), world.root, world.cell
    root.iam.create_policy(PolicyName=names.boundary, PolicyDocument=as_text(policies.boundary_policy(cell)))
    key_id, key_arn = _key(root, policies.shared_key_policy(cell))
    _bucket(root, names.bucket, policies.shared_bucket_policy(cell))
    _table(root, names.table)
    _role(
        root,
        names.access_role,
        policies.pool_role_trust(cell),
        fill_key(policies.pool_role_policy(cell), key_arn, cell),
        names.boundary_arn,
    )
    return key_id


def furnish_tenant(root: Clients, tenant: TenantFacts, shared_key: str) -> Place:
    names, cell, model = naming.names_of(tenant), tenant.cell, tenant.tier.isolation_model
    place = Place(tenant, names, shared_key)
    if model.has_own_pool:
        place.key_id, key_arn = _key(root, policies.own_key_policy(tenant))
        boundary = naming.names_of_cell(cell).boundary_arn
        tags = {naming.TAG_TENANT: tenant.id}
        _role(
            root,
            names.access_role,
            policies.tenant_role_trust(tenant),
            fill_key(policies.role_policy(tenant), key_arn, cell),
            boundary,
            tags,
        )
    if model.has_own_stack:
        _bucket(root, names.bucket, policies.own_bucket_policy(tenant))
        _table(root, names.table)
    for key in (f"{names.storage_prefix}object", f"{names.storage_prefix.rstrip('/')}x/object"):
        root.s3.put_object(Bucket=names.storage_bucket, Key=key, Body=b"data")
    root.dynamodb.put_item(TableName=names.data_table, Item={"pk": {"S": names.leading_key}, "sk": {"S": "row"}})
    root.secretsmanager.create_secret(Name=names.api_secret, SecretString="secret")
    root.logs.create_log_group(logGroupName=names.log_group)
    root.logs.create_log_stream(logGroupName=names.log_group, logStreamName="first")
    place.ciphertext = root.kms.encrypt(KeyId=place.key_id, Plaintext=b"data", EncryptionContext=place.context)["CiphertextBlob"]
    return place


def _key(root: Clients, policy: Document) -> tuple[str, str]:
    made = root.kms.create_key(Policy=as_text(policy))["KeyMetadata"]
    return made["KeyId"], made["Arn"]


def _bucket(root: Clients, name: str, policy: Document) -> None:
    root.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    root.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if policy["Statement"]:
        root.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def _table(root: Clients, name: str) -> None:
    root.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
    )


def _role(root: Clients, name: str, trust: Document, policy: Document, boundary: str, tags: dict[str, str] | None = None) -> None:
    root.iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=as_text(trust),
        PermissionsBoundary=boundary,
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )
    root.iam.put_role_policy(RoleName=name, PolicyName="access", PolicyDocument=as_text(policy))
