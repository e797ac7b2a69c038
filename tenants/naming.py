"""Every name that AWS will see, in one place. Pure.

An id separates tenants, never a slug: nothing that a person typed reaches an AWS name. ``names_of`` and ``names_of_cell`` refuse facts
that are not what they claim to be (an id with a ``/``, a region with a ``*``), because ARNs and policies are built from the answers.

Two rules keep names apart, and ``tests/tenants/test_naming_properties.py`` holds them:

* in path-like names (object keys, secrets, log groups) a ``/`` follows the id, and no id or cell code holds one. They carry the whole
  id, because the shared role's policy builds them from the session tag ``controlplane:tenant``;
* in flat names ``--`` ends the cell code, which itself can neither hold ``--`` nor end in a hyphen, so that ``cp-prod--*`` never matches
  what belongs to the cell ``prod-eu``.

The lengths fit the narrowest service: a bucket has at most 63 characters, a role at most 64.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from core import VERSION, ids
from core.actors import Actor
from core.errors import DomainError
from tenants.facts import CellFacts, IsolationModel, TenantFacts
from tenants.partitions import partition_of

TAG_TENANT = "controlplane:tenant"
TAG_CELL = "controlplane:cell"
TAG_ENVIRONMENT = "controlplane:environment"
TAG_RELEASE = "controlplane:release"
TAG_MANAGED_BY = "controlplane:managed-by"
MANAGED_BY = "controlplane"

_CODE = re.compile(r"[a-z](?:-?[a-z0-9]){0,19}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,10}){1,2}-[0-9]{1,2}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_NOT_SESSION = re.compile(r"[^A-Za-z0-9_=,.@-]")
_SESSION_LENGTH = 64
_PROVIDER_SUFFIX = {"saml": "s", "oidc": "o"}


class UnsafeNameError(DomainError):
    """Facts from which no safe AWS name can be made: a bug or a tampered row, never a tenant's input."""

    code = "unsafe-name"
    title = "No safe AWS name can be made from this"
    status = 500


@dataclass(frozen=True, slots=True)
class CellNames:
    """What a cell shares among its pooled tenants, and its patterns. ``*_prefix`` ends in its separator."""

    flat_prefix: str
    boundary: str
    boundary_arn: str
    control_plane_role: str
    control_plane_role_arn: str
    user_pool: str
    pool_domain: str
    bucket: str
    bucket_arn: str
    storage_root: str
    table: str
    table_arn: str
    key_alias: str
    access_role: str
    access_role_arn: str
    secret_root: str
    log_root: str


@dataclass(frozen=True, slots=True)
class TenantNames:
    """Every name of one tenant. Own names are given for all isolation models, whether or not the model uses them.

    ``storage_bucket``, ``data_table`` and ``access_role`` answer where this tenant's data is and which role reaches it under its present
    isolation model. ``role`` and ``log_group`` have names of their own in a stack, because a change of tier makes the stack before it
    removes the role, and retains the log group, of the model before. A secret's full name is ``secret_path`` and a leaf; AWS adds six
    random characters to its ARN.
    """

    user_pool: str
    pool_domain: str
    app_client: str
    group: str
    role: str
    role_arn: str
    bucket: str
    bucket_arn: str
    table: str
    table_arn: str
    key_alias: str
    secret_path: str
    api_secret: str
    log_path: str
    log_group: str
    log_group_arn: str
    stack: str
    stack_arn: str
    storage_prefix: str
    storage_bucket: str
    storage_bucket_arn: str
    data_table: str
    data_table_arn: str
    leading_key: str
    access_role: str
    access_role_arn: str


def arn(cell: CellFacts, service: str, resource: str, *, region: bool = True, account: bool = True) -> str:
    """Build an ARN in the cell's own partition; IAM has no region, S3 neither region nor account."""
    return f"arn:{cell.partition}:{service}:{cell.region if region else ''}:{cell.account_id if account else ''}:{resource}"


def names_of_cell(cell: CellFacts) -> CellNames:
    """Give the names of what a cell shares. Raises UnsafeNameError on facts that are not well formed."""
    check_cell(cell)
    flat = f"cp-{cell.code}--"
    bucket, table, role, boundary = f"{flat}shared-{cell.account_id}", f"{flat}shared", f"{flat}pooled-access", f"{flat}boundary"
    control_plane = f"{flat}control-plane"
    return CellNames(
        flat_prefix=flat,
        boundary=boundary,
        boundary_arn=arn(cell, "iam", f"policy/{boundary}", region=False),
        control_plane_role=control_plane,
        control_plane_role_arn=cell.role_arn or arn(cell, "iam", f"role/{control_plane}", region=False),
        user_pool=f"{flat}shared",
        pool_domain=_domain_prefix(cell, cell.code),
        bucket=bucket,
        bucket_arn=arn(cell, "s3", bucket, region=False, account=False),
        storage_root="tenants/",
        table=table,
        table_arn=arn(cell, "dynamodb", f"table/{table}"),
        key_alias=f"alias/cp/{cell.code}/shared",
        access_role=role,
        access_role_arn=arn(cell, "iam", f"role/{role}", region=False),
        secret_root=f"cp/{cell.code}/",
        log_root=f"/cp/{cell.code}/",
    )


def names_of(tenant: TenantFacts) -> TenantNames:
    """Give every AWS name of a tenant. Raises UnsafeNameError unless ``tenant.id`` is a well-formed tenant id."""
    if not ids.is_id(tenant.id, ids.TENANT):
        raise UnsafeNameError("The tenant's id is not well formed.")
    cell, shared, body = tenant.cell, names_of_cell(tenant.cell), ids.body_of(tenant.id)
    flat = f"{shared.flat_prefix}{body}"
    own_bucket_arn, own_table_arn = arn(cell, "s3", flat, region=False, account=False), arn(cell, "dynamodb", f"table/{flat}")
    own_stack, pooled = tenant.tier.isolation_model.has_own_stack, tenant.tier.isolation_model is IsolationModel.POOL
    role, log_path = f"{flat}-stack" if own_stack else flat, f"{shared.log_root}{tenant.id}/"
    own_role_arn, log_group = arn(cell, "iam", f"role/{role}", region=False), f"{log_path}{'stack' if own_stack else 'application'}"
    return TenantNames(
        user_pool=flat,
        pool_domain=_domain_prefix(cell, tenant.id),
        app_client=flat,
        group=tenant.id,
        role=role,
        role_arn=own_role_arn,
        bucket=flat,
        bucket_arn=own_bucket_arn,
        table=flat,
        table_arn=own_table_arn,
        key_alias=f"alias/cp/{cell.code}/{tenant.id}",
        secret_path=f"{shared.secret_root}{tenant.id}/",
        api_secret=f"{shared.secret_root}{tenant.id}/api",
        log_path=log_path,
        log_group=log_group,
        log_group_arn=arn(cell, "logs", f"log-group:{log_group}"),
        stack=flat,
        stack_arn=arn(cell, "cloudformation", f"stack/{flat}/*"),
        storage_prefix=f"{shared.storage_root}{tenant.id}/",
        storage_bucket=flat if own_stack else shared.bucket,
        storage_bucket_arn=own_bucket_arn if own_stack else shared.bucket_arn,
        data_table=flat if own_stack else shared.table,
        data_table_arn=own_table_arn if own_stack else shared.table_arn,
        leading_key=tenant.id,
        access_role=shared.access_role if pooled else role,
        access_role_arn=shared.access_role_arn if pooled else own_role_arn,
    )


def identity_provider(tenant: TenantFacts, kind: str) -> str:
    """Name the provider of a tenant's connection in its pool: ``cp-<id's body>-s`` or ``-o``, 31 characters of the 32 that Cognito takes.

    It holds no ``_``, which Cognito puts between a provider and a person. One name a kind, because a provider's kind cannot change.
    """
    if not ids.is_id(tenant.id, ids.TENANT) or kind not in _PROVIDER_SUFFIX:
        raise UnsafeNameError("The tenant's id or the kind of its connection is not well formed.")
    return f"cp-{ids.body_of(tenant.id)}-{_PROVIDER_SUFFIX[kind]}"


def _domain_prefix(cell: CellFacts, owner: str) -> str:
    """Name a pool's hosted domain, which is unique over all accounts of a region: ``cp-<40 hex digits>``.

    AWS refuses ``aws``, ``amazon`` and ``cognito`` anywhere in it, and an id may hold the first by chance; hexadecimal cannot.
    """
    return f"cp-{hashlib.sha256(f'{cell.partition}:{cell.region}:{cell.account_id}:{owner}'.encode()).hexdigest()[:40]}"


def key_secret(tenant: TenantFacts, key_id: str) -> str:
    """Name the secret of one of a tenant's keys: below its path, where its own role may read and no other's."""
    if not ids.is_id(key_id, ids.KEY):
        raise UnsafeNameError("The key's id is not well formed.")
    return f"{names_of(tenant).secret_path}keys/{key_id}"


def tenant_tags(tenant: TenantFacts, *, release: str = VERSION) -> dict[str, str]:
    """Tags for a tenant's own resource. Adopt or delete only what bears the same tenant and managed-by."""
    return {
        TAG_TENANT: tenant.id,
        TAG_CELL: tenant.cell.code,
        TAG_ENVIRONMENT: tenant.cell.environment,
        TAG_RELEASE: release,
        TAG_MANAGED_BY: MANAGED_BY,
    }


def username(tenant_id: str, email: str) -> str:
    """Name a tenant's person in Cognito: blind, and different for one person in two tenants, who may share a pool.

    The same for every spelling of the address in upper and lower case. ``<id's body>-<32 hex digits>``, 59 characters.
    """
    address = email.strip().casefold()
    return f"{ids.body_of(tenant_id)}-{hashlib.sha256(f'{tenant_id}:{address}'.encode()).hexdigest()[:32]}"


def check_cell(cell: CellFacts) -> None:
    """Refuse a cell whose facts could widen an ARN or a pattern. Raises UnsafeNameError."""
    code_fits = _CODE.fullmatch(cell.code) is not None and len(cell.code) <= 20
    if not code_fits:
        raise UnsafeNameError("The cell's code must match [a-z][a-z0-9-]{0,19}, without '--' and without a hyphen at its end.")
    if (
        partition_of(cell.partition) is None
        or _REGION.fullmatch(cell.region) is None
        or _ACCOUNT.fullmatch(cell.account_id) is None
    ):
        raise UnsafeNameError("The cell's partition, region or account is not well formed.")
    if cell.role_arn and (_ROLE_ARN.fullmatch(cell.role_arn) is None or not cell.role_arn.startswith(f"arn:{cell.partition}:")):
        raise UnsafeNameError("The cell's role is not a role of its own partition.")


def session_name(owner_id: str, actor: Actor) -> str:
    """Name a role session so that CloudTrail tells the tenant (or the cell) and the actor: at most 64 characters of ``[A-Za-z0-9_=,.@-]``.

    An actor whose id had to be changed to fit gets a short digest of what it was, so that two actors never share a name. Source:
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    if not ids.is_id(owner_id, ids.TENANT) and not ids.is_id(owner_id, ids.CELL):
        raise UnsafeNameError("The owner's id is not well formed.")
    spoken = f"{actor.kind}.{actor.id}"
    clean = _NOT_SESSION.sub("-", spoken)
    room = _SESSION_LENGTH - len(owner_id) - 1
    if clean != spoken or len(clean) > room:
        clean = f"{clean[: room - 9]}={hashlib.sha256(spoken.encode()).hexdigest()[:8]}"
    return f"{owner_id}@{clean}"
