"""What a tenant may do with its data, written once for every isolation model. Pure.

A ``Scope`` says *where*: with a tenant's literal names, or with the session tag as a policy variable. ``access_statements`` says
*what*, and is the only place that knows an action of the data plane. What is missing is missing on purpose:

* ``s3:ListBucketMultipartUploads`` and ``s3:ListAllMyBuckets`` carry no ``s3:prefix`` on AWS, so they would show the neighbours' keys;
* ``dynamodb:Scan``, PartiQL and streams carry no leading keys, or may be asked for without them;
* ``s3:DeleteObjectVersion`` is kept from tenants: versions are what a mistaken delete is undone from;
* ``s3:PutObjectAcl``, ``s3:PutBucketPolicy`` and their like would let one tenant open a door that the other policies close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from provisioning.isolation.documents import KEY_PLACEHOLDER, Statement, statement
from tenants import naming
from tenants.facts import CellFacts, IsolationModel, TenantFacts
from tenants.naming import TAG_TENANT, CellNames, arn
from tenants.partitions import endpoint_host

OBJECT_ACTIONS: Final = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
LIST_ACTIONS: Final = ("s3:ListBucket", "s3:ListBucketVersions")
ITEM_ACTIONS: Final = (
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
)
KEY_ACTIONS: Final = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
SECRET_WRITING: Final = ("kms:GenerateDataKey", "kms:Decrypt")
"""What Secrets Manager needs of a key, in the name of whoever writes a secret under it."""
SECRET_ACTIONS: Final = ("secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret")
LOG_ACTIONS: Final = (
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:DescribeLogStreams",
    "logs:GetLogEvents",
    "logs:FilterLogEvents",
)

TENANT_VARIABLE: Final = f"${{aws:PrincipalTag/{TAG_TENANT}}}"
CONTEXT_KEY: Final = f"kms:EncryptionContext:{TAG_TENANT}"
S3_CONTEXT_KEY: Final = "kms:EncryptionContext:aws:s3:arn"
SECRET_CONTEXT_KEY: Final = "kms:EncryptionContext:SecretARN"  # noqa: S105  # a condition key, no secret


@dataclass(frozen=True, slots=True)
class Scope:
    """Where one set of statements reaches. ``who`` is an id or the variable; prefixes and paths end in ``/``.

    ``leading_key`` is None for a table that belongs to one tenant. ``key_arn`` may be ``KEY_PLACEHOLDER``. ``owns_key``: the key is the
    tenant's own, and its secrets are under it; a pooled tenant's secrets are under AWS's own key, which needs no permission.
    """

    cell: CellFacts
    who: str
    bucket_arn: str
    prefix: str
    table_arn: str
    leading_key: str | None
    secret_path: str
    log_path: str
    key_arn: str = KEY_PLACEHOLDER
    owns_key: bool = False

    @property
    def is_alone(self) -> bool:
        """True when bucket and table belong to one tenant."""
        return self.leading_key is None


def scope_of(tenant: TenantFacts, *, key_arn: str = KEY_PLACEHOLDER) -> Scope:
    """The tenant's own places, by literal names."""
    names = naming.names_of(tenant)
    return Scope(
        cell=tenant.cell,
        who=tenant.id,
        bucket_arn=names.storage_bucket_arn,
        prefix=names.storage_prefix,
        table_arn=names.data_table_arn,
        leading_key=None if tenant.tier.isolation_model.has_own_stack else names.leading_key,
        secret_path=names.secret_path,
        log_path=names.log_path,
        key_arn=key_arn,
        owns_key=tenant.tier.isolation_model.has_own_pool,
    )


def scope_by_tag(cell: CellFacts, *, key_arn: str = KEY_PLACEHOLDER) -> Scope:
    """The places of whichever pooled tenant the session is tagged for.

    **The named place**: a stand-in that cannot substitute variables gets ``*`` here, and then the session policy alone keeps pooled
    tenants apart. AWS never sees that form.
    """
    shared, who = naming.names_of_cell(cell), who_by_tag(cell)
    return Scope(
        cell=cell,
        who=who,
        bucket_arn=shared.bucket_arn,
        prefix=f"{shared.storage_root}{who}/",
        table_arn=shared.table_arn,
        leading_key=who,
        secret_path=f"{shared.secret_root}{who}/",
        log_path=f"{shared.log_root}{who}/",
        key_arn=key_arn,
    )


def who_by_tag(cell: CellFacts) -> str:
    """The session tag as a policy variable, or ``*`` for a stand-in that would compare the variable's text."""
    return TENANT_VARIABLE if cell.capabilities.policy_variables else "*"


def access_statements(scope: Scope) -> list[Statement]:
    """Everything that a tenant's credentials may do in ``scope``."""
    cell = scope.cell
    secrets = secrets_arn(cell, scope.secret_path)
    logs = arn(cell, "logs", f"log-group:{scope.log_path}*")
    return [
        statement("Objects", OBJECT_ACTIONS, f"{scope.bucket_arn}/{scope.prefix}*"),
        statement("Listing", LIST_ACTIONS, scope.bucket_arn, {"StringLike": {"s3:prefix": f"{scope.prefix}*"}}),
        items_statement(scope),
        *key_statements(scope),
        statement("Secrets", SECRET_ACTIONS, secrets),
        statement("Logs", LOG_ACTIONS, logs),
    ]


def items_statement(scope: Scope) -> Statement:
    """Items of the tenant's own table with its indexes, or of the shared table under the tenant's own leading key.

    ``ForAllValues`` alone holds for a request without leading keys, so ``Null: false`` goes with it. Source:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    if scope.leading_key is None:
        return statement("Items", ITEM_ACTIONS, (scope.table_arn, f"{scope.table_arn}/index/*"))
    return statement("Items", ITEM_ACTIONS, scope.table_arn, leading_key_condition(scope.cell, scope.leading_key))


def leading_key_condition(cell: CellFacts, leading_key: str) -> dict[str, dict[str, str]]:
    """Items under this partition key only; nothing for a stand-in that does not fill the key in, where it would refuse everybody."""
    if not cell.capabilities.leading_keys:
        return {}
    return {
        f"ForAllValues:{_equals(leading_key)}": {"dynamodb:LeadingKeys": leading_key},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def key_statements(scope: Scope) -> list[Statement]:
    """Use of the key: called directly with the tenant in the encryption context, or by S3 for objects under the tenant's prefix.

    A caller may add to the context that S3 sends, so the first statement is for direct calls alone (``kms:ViaService`` absent). S3
    itself names the object, or only the bucket when a bucket key is on; the bucket is the same for every pooled tenant, so the shared
    bucket must have its bucket key off.
    """
    if not scope.cell.capabilities.encryption_context:
        return [statement("Key", KEY_ACTIONS, scope.key_arn)]
    objects = f"{scope.bucket_arn}/{scope.prefix}*"
    direct: dict[str, dict[str, Any]] = {_equals(scope.who): {CONTEXT_KEY: scope.who}, "Null": {"kms:ViaService": "true"}}
    in_s3 = _through(scope.cell, "s3", S3_CONTEXT_KEY, [objects, scope.bucket_arn] if scope.is_alone else objects)
    made = [
        statement("Key", KEY_ACTIONS, scope.key_arn, direct),
        statement("KeyThroughS3", ("kms:Decrypt", "kms:GenerateDataKey"), scope.key_arn, in_s3),
    ]
    if scope.owns_key:
        in_secrets = through_secrets(scope.cell, scope.secret_path)
        made.append(statement("KeyThroughSecrets", ("kms:Decrypt",), scope.key_arn, in_secrets))
    return made


def _through(cell: CellFacts, service: str, key: str, places: str | list[str]) -> dict[str, dict[str, Any]]:
    """Only when this service calls KMS for the caller, and only for these places."""
    return {"StringEquals": {"kms:ViaService": endpoint_host(cell, service)}, "StringLike": {key: places}}


def through_secrets(cell: CellFacts, secret_path: str) -> dict[str, dict[str, Any]]:
    """Only when Secrets Manager calls KMS, and only for secrets under this path, which ends in ``/``."""
    return _through(cell, "secretsmanager", SECRET_CONTEXT_KEY, secrets_arn(cell, secret_path))


def secrets_arn(cell: CellFacts, secret_path: str) -> str:
    """A pattern for every secret under a path that ends in ``/``; AWS adds six random characters to each."""
    return arn(cell, "secretsmanager", f"secret:{secret_path}*")


def any_key_arn(cell: CellFacts) -> str:
    """A pattern for the keys of the cell's account, for documents that only narrow another one."""
    return arn(cell, "kms", "key/*")


def own_pattern(shared: CellNames) -> str:
    """A pattern for the flat name of any tenant of the cell and of nothing that the cell shares: an id's body has 26 characters."""
    return f"{shared.flat_prefix}{'?' * 26}"


def _equals(value: str) -> str:
    return "StringLike" if value == "*" else "StringEquals"


def is_pooled(tenant: TenantFacts) -> bool:
    """True when the tenant works through the shared role."""
    return tenant.tier.isolation_model is IsolationModel.POOL
