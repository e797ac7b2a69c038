"""Policies that sit on buckets and keys. Pure.

They only ever deny, or delegate to IAM under a condition on the tenant's tag. None names a *session* ARN: such a statement would add to
a session policy instead of being narrowed by it
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html), and a test forbids it.
"""

from __future__ import annotations

from typing import Final

from provisioning.isolation.access import KEY_ACTIONS, OBJECT_ACTIONS, SECRET_WRITING, through_secrets, who_by_tag
from provisioning.isolation.documents import BUCKET_LIMIT, VERSION, Document, Statement, document, statement
from tenants import naming
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import TAG_TENANT, arn

_KEY_POLICY_LIMIT: Final = 32_768
_TAG: Final = f"aws:PrincipalTag/{TAG_TENANT}"
_KEY_ADMINISTRATION: Final = (
    "kms:DescribeKey",
    "kms:EnableKey",
    "kms:DisableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:CreateAlias",
    "kms:UpdateAlias",
    "kms:DeleteAlias",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
)


def shared_bucket_policy(cell: CellFacts) -> Document:
    """TLS only, and no tagged session outside its own prefix: a third leg beside the role's and the session's policy."""
    shared = naming.names_of_cell(cell)
    statements = _tls_only(cell, shared.bucket_arn)
    if cell.capabilities.policy_variables:
        outside: Statement = {
            "Sid": "OutsideOwnPrefix",
            "Effect": "Deny",
            "Principal": "*",
            "Action": list(OBJECT_ACTIONS),
            "NotResource": [f"{shared.bucket_arn}/{shared.storage_root}{who_by_tag(cell)}/*"],
            "Condition": {"Null": {_TAG: "false"}},
        }
        statements.append(outside)
    return _resource_document(statements, BUCKET_LIMIT, "bucket policy")


def own_bucket_policy(tenant: TenantFacts) -> Document:
    """TLS only, and no session that is tagged for another tenant."""
    bucket = naming.names_of(tenant).bucket_arn
    others = statement(
        "OtherTenants",
        ("s3:*",),
        (bucket, f"{bucket}/*"),
        {"StringNotEquals": {_TAG: tenant.id}, "Null": {_TAG: "false"}},
        effect="Deny",
        principal="*",
    )
    return _resource_document([*_tls_only(tenant.cell, bucket), others], BUCKET_LIMIT, "bucket policy")


def own_key_policy(tenant: TenantFacts) -> Document:
    """A tenant's own key: administered by the control plane, used by IAM principals that carry the tenant's tag."""
    return _key_policy(tenant.cell, {"StringEquals": {_TAG: tenant.id}}, naming.names_of(tenant).secret_path)


def shared_key_policy(cell: CellFacts) -> Document:
    """The cell's shared key: used by IAM principals that carry some tenant's tag; the encryption context keeps them apart."""
    return _key_policy(cell, {"StringLike": {_TAG: f"tnt_{'?' * 26}"}}, naming.names_of_cell(cell).secret_root)


def _key_policy(cell: CellFacts, user: dict[str, dict[str, str]], secret_path: str) -> Document:
    """The account's root keeps administration, so that no key is ever lost; it is given no cryptographic action.

    The control plane writes the tenant's secrets, for which Secrets Manager encrypts in its name; it uses the key in no other way. It can
    change this policy, so it is trusted with the key all the same. A stand-in's Secrets Manager asks KMS for nothing, so it is given nothing.
    """
    account = {"AWS": arn(cell, "iam", "root", region=False)}
    control_plane = {"AWS": naming.names_of_cell(cell).control_plane_role_arn}
    statements = [
        statement("Account", _KEY_ADMINISTRATION, "*", principal=account),
        statement("ControlPlane", _KEY_ADMINISTRATION, "*", principal=control_plane),
        statement("Tenant", KEY_ACTIONS, "*", user, principal=account),
    ]
    if cell.capabilities.encryption_context:
        statements.append(statement("Secrets", SECRET_WRITING, "*", through_secrets(cell, secret_path), principal=control_plane))
    return _resource_document(statements, _KEY_POLICY_LIMIT, "key policy")


def _tls_only(cell: CellFacts, bucket_arn: str) -> list[Statement]:
    """Rendered off for a stand-in that speaks plain HTTP: it would refuse everybody."""
    if not cell.capabilities.tls:
        return []
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    return [statement("PlainHttp", ("s3:*",), (bucket_arn, f"{bucket_arn}/*"), insecure, effect="Deny", principal="*")]


def _resource_document(statements: list[Statement], limit: int, what: str) -> Document:
    """A policy without statements is no policy: it comes out with an empty list, and the caller puts none."""
    return document(statements, limit=limit, what=what) if statements else {"Version": VERSION, "Statement": []}
