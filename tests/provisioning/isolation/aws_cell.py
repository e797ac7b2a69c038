"""Cells as AWS has them, all capabilities on, and the requests that a tenant may make there, for the evaluator."""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.isolation import policies
from provisioning.isolation.access import CONTEXT_KEY, S3_CONTEXT_KEY, SECRET_CONTEXT_KEY, is_pooled
from provisioning.isolation.evaluator import Decision, Policies, Request, decide
from tenants import naming
from tenants.facts import CellFacts, IsolationModel, TenantFacts, TierFacts
from tenants.partitions import endpoint_host

TAG = f"aws:PrincipalTag/{naming.TAG_TENANT}"
CELLS = (
    CellFacts("cell_1", "prod", "production", "aws", "eu-central-1", "123456789012"),
    CellFacts("cell_2", "p" * 20, "production", "aws-us-gov", "us-gov-west-1", "123456789012"),
    CellFacts("cell_3", "cn-one", "production", "aws-cn", "cn-northwest-1", "123456789012"),
    CellFacts("cell_4", "iso-b", "production", "aws-iso-b", "us-isob-east-1", "123456789012"),
)
MODELS = tuple(IsolationModel)
BODY = "01kaqacme".ljust(25, "0")


def tenant(model: IsolationModel, number: int, cell: CellFacts = CELLS[0], state: str = "active") -> TenantFacts:
    return TenantFacts(f"tnt_{BODY}{number}", f"t{number}", "T", state, TierFacts("any", model), cell, "a@example.com")


def key_arn(facts: TenantFacts) -> str:
    """The key that the tenant uses: its own, or the one that pooled tenants share."""
    return naming.arn(facts.cell, "kms", "key/shared" if is_pooled(facts) else f"key/{facts.id[4:]}")


@dataclass(frozen=True)
class Ask:
    """One thing to try on somebody's place; ``is_mine`` says whether the owner may."""

    name: str
    action: str
    resource: str
    context: dict[str, str | tuple[str, ...]]
    is_mine: bool = True


def asks_of(facts: TenantFacts) -> list[Ask]:
    """Everything that somebody may try on this tenant's place, as IAM would see it."""
    names, key = naming.names_of(facts), key_arn(facts)
    bucket, prefix = names.storage_bucket_arn, names.storage_prefix
    secret, log = naming.arn(facts.cell, "secretsmanager", f"secret:{names.api_secret}-AbCdEf"), names.log_group_arn
    leading: dict[str, str | tuple[str, ...]] = {"dynamodb:LeadingKeys": (names.leading_key,)}
    through: dict[str, str | tuple[str, ...]] = {"kms:ViaService": endpoint_host(facts.cell, "s3")}
    in_secrets: dict[str, str | tuple[str, ...]] = {"kms:ViaService": endpoint_host(facts.cell, "secretsmanager")}
    beside = secret.replace(facts.id, f"{facts.id}x")
    return [
        Ask("get object", "s3:GetObject", f"{bucket}/{prefix}a/b", {}),
        Ask("put object", "s3:PutObject", f"{bucket}/{prefix}a", {}),
        Ask("get from the twin prefix", "s3:GetObject", f"{bucket}/{prefix.rstrip('/')}x/a", {}, False),
        Ask("get the bare prefix", "s3:GetObject", f"{bucket}/{prefix.rstrip('/')}", {}, False),
        Ask("get at the root", "s3:GetObject", f"{bucket}/a", {}, False),
        Ask("delete a version", "s3:DeleteObjectVersion", f"{bucket}/{prefix}a", {}, False),
        Ask("put acl", "s3:PutObjectAcl", f"{bucket}/{prefix}a", {}, False),
        Ask("list prefix", "s3:ListBucket", bucket, {"s3:prefix": prefix}),
        Ask("list versions", "s3:ListBucketVersions", bucket, {"s3:prefix": f"{prefix}a"}),
        Ask("list without a prefix", "s3:ListBucket", bucket, {}, False),
        Ask("list with an empty prefix", "s3:ListBucket", bucket, {"s3:prefix": ""}, False),
        Ask("list the ancestor", "s3:ListBucket", bucket, {"s3:prefix": "tenants/"}, False),
        Ask("list without the slash", "s3:ListBucket", bucket, {"s3:prefix": prefix.rstrip("/")}, False),
        Ask("list uploads", "s3:ListBucketMultipartUploads", bucket, {}, False),
        Ask("get item", "dynamodb:GetItem", names.data_table_arn, leading),
        Ask("scan", "dynamodb:Scan", names.data_table_arn, leading, False),
        Ask("describe table", "dynamodb:DescribeTable", names.data_table_arn, {}, False),
        Ask("decrypt", "kms:Decrypt", key, {CONTEXT_KEY: facts.id}),
        Ask("decrypt without context", "kms:Decrypt", key, {}, False),
        Ask("decrypt for s3", "kms:Decrypt", key, {**through, S3_CONTEXT_KEY: f"{bucket}/{prefix}a"}),
        Ask("decrypt for s3 beside", "kms:Decrypt", key, {**through, S3_CONTEXT_KEY: f"{bucket}/{prefix.rstrip('/')}x/a"}, False),
        Ask("decrypt for secrets", "kms:Decrypt", key, {**in_secrets, SECRET_CONTEXT_KEY: secret}, not is_pooled(facts)),
        Ask("decrypt for secrets beside", "kms:Decrypt", key, {**in_secrets, SECRET_CONTEXT_KEY: beside}, False),
        Ask("delete the key", "kms:ScheduleKeyDeletion", key, {}, False),
        Ask("read secret", "secretsmanager:GetSecretValue", secret, {}),
        Ask("write secret", "secretsmanager:PutSecretValue", secret, {}, False),
        Ask("write log", "logs:PutLogEvents", f"{log}:log-stream:first", {}),
        Ask("make log stream", "logs:CreateLogStream", log, {}),
        Ask("delete log group", "logs:DeleteLogGroup", log, {}, False),
        Ask("assume", "sts:AssumeRole", names.access_role_arn, {}, False),
    ]


def policies_of(facts: TenantFacts, target: TenantFacts, action: str, *, session: bool = True) -> Policies:
    """All documents that bear on a call of one tenant's credentials at another's (or its own) place."""
    cell = facts.cell
    key = key_arn(facts)
    identity = policies.pool_role_policy(cell, key_arn=key) if is_pooled(facts) else policies.role_policy(facts, key_arn=key)
    resource = None
    if action.startswith("kms:"):
        resource = policies.shared_key_policy(target.cell) if is_pooled(target) else policies.own_key_policy(target)
    elif action.startswith("s3:"):
        own = target.tier.isolation_model.has_own_stack
        resource = policies.own_bucket_policy(target) if own else policies.shared_bucket_policy(target.cell)
    narrowed = policies.pool_session_policy(facts) if is_pooled(facts) and session else None
    return Policies([identity], policies.boundary_policy(cell), narrowed, resource)


def answer(facts: TenantFacts, ask: Ask, documents: Policies) -> Decision:
    """Ask as the tenant's tagged session over TLS."""
    context = {TAG: facts.id, "aws:SecureTransport": "true", **ask.context}
    return decide(Request(naming.names_of(facts).access_role_arn, ask.action, ask.resource, context), documents)
