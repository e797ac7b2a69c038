"""What the control plane itself may do in a cell: least privilege, by the cell's own name patterns and tags. Pure.

It makes roles, but only under the cell's permission boundary, so it cannot make one that is stronger than a tenant's. It passes no role
to any service. It reads no object, item or secret of a tenant, and uses a tenant's key only to write that tenant's secrets.

What it *is* trusted with: the boundary's own content, the tags and trust of tenants' roles, the key policies, and people's accounts in the
user pools. Whoever holds this role can therefore still take over a tenant's role; the audit log and CloudTrail stand against that.

Action names follow the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from provisioning.isolation.access import SECRET_WRITING, any_key_arn, own_pattern, through_secrets
from provisioning.isolation.documents import INLINE_LIMIT, MANAGED_LIMIT, TRUST_LIMIT, Document, Statement, document, statement
from tenants import naming
from tenants.facts import CellFacts
from tenants.naming import MANAGED_BY, TAG_CELL, TAG_MANAGED_BY, CellNames, arn

_POOL_ACTIONS: Final = """
    AddCustomAttributes AdminAddUserToGroup AdminCreateUser AdminDeleteUser AdminDisableUser AdminEnableUser AdminGetUser
    AdminListGroupsForUser AdminRemoveUserFromGroup AdminSetUserPassword AdminUpdateUserAttributes AdminUserGlobalSignOut
    CreateGroup CreateIdentityProvider CreateUserPoolClient CreateUserPoolDomain DeleteGroup DeleteIdentityProvider DeleteUserPool
    DeleteUserPoolClient DeleteUserPoolDomain DescribeIdentityProvider DescribeUserPool DescribeUserPoolClient
    GetGroup GetUserPoolMfaConfig ListGroups ListTagsForResource ListUserPoolClients ListUsers ListUsersInGroup
    SetUserPoolMfaConfig TagResource UntagResource UpdateGroup UpdateIdentityProvider UpdateUserPool UpdateUserPoolClient
""".split()
_BUCKET_ACTIONS: Final = """
    CreateBucket DeleteBucket DeleteBucketPolicy GetBucketLocation GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock
    GetBucketTagging GetBucketVersioning GetEncryptionConfiguration GetLifecycleConfiguration ListBucket ListBucketVersions
    ListBucketMultipartUploads PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning
    PutEncryptionConfiguration PutLifecycleConfiguration
""".split()
_OBJECT_ACTIONS: Final = ("DeleteObject", "DeleteObjectVersion", "AbortMultipartUpload")
_TABLE_ACTIONS: Final = """
    CreateTable DeleteTable DescribeContinuousBackups DescribeTable DescribeTimeToLive ListTagsOfResource TagResource UntagResource
    UpdateContinuousBackups UpdateTable UpdateTimeToLive
""".split()
_KEY_ACTIONS: Final = """
    CancelKeyDeletion DescribeKey EnableKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListResourceTags PutKeyPolicy
    ScheduleKeyDeletion TagResource UntagResource
""".split()
_ALIAS_ACTIONS: Final = ("CreateAlias", "UpdateAlias", "DeleteAlias")
_SECRET_ACTIONS: Final = """
    CreateSecret DeleteSecret DescribeSecret PutSecretValue RestoreSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage
""".split()
_TAG_ACTIONS: Final = ("ListTagsOfResource", "TagResource", "UntagResource")
_LOG_ACTIONS: Final = """
    CreateLogGroup DeleteLogGroup DeleteRetentionPolicy ListTagsForResource PutRetentionPolicy TagResource UntagResource
""".split()
_STACK_ACTIONS: Final = """
    CancelUpdateStack ContinueUpdateRollback CreateChangeSet CreateStack DeleteChangeSet DeleteStack DescribeChangeSet DescribeEvents
    DescribeStackEvents DescribeStackResources DescribeStacks ExecuteChangeSet GetTemplate ListStackResources TagResource UntagResource
    UpdateStack UpdateTerminationProtection
""".split()
_ROLE_READ: Final = (
    "GetRole",
    "GetRolePolicy",
    "ListRolePolicies",
    "ListAttachedRolePolicies",
    "ListRoleTags",
    "TagRole",
    "UntagRole",
)
_ROLE_CHANGE: Final = ("DeleteRole", "DetachRolePolicy", "UpdateAssumeRolePolicy", "UpdateRole")
_ROLE_BOUND: Final = ("CreateRole", "PutRolePolicy", "DeleteRolePolicy", "PutRolePermissionsBoundary")
_BOUNDARY_ACTIONS: Final = """
    CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion ListPolicyTags ListPolicyVersions
    TagPolicy UntagPolicy
""".split()


def provisioner_policy(cell: CellFacts) -> Document:
    """The control plane's own policy in a cell: an inline policy of at most 10,240 characters."""
    shared = naming.names_of_cell(cell)
    statements = [
        *_identity(cell),
        *_storage(cell, shared),
        *_keys_and_secrets(cell, shared),
        *_stacks(cell, shared),
        *_roles(cell, shared),
        *_blind_spots(cell),
    ]
    return document(statements, limit=INLINE_LIMIT, what="control plane's policy")


def control_plane_trust(cell: CellFacts, base_arn: str) -> Document:
    """Who may become the control plane in a cell: the one base identity that its processes run as."""
    naming.check_cell(cell)
    made = statement("Base", ("sts:AssumeRole",), (), principal={"AWS": base_arn})
    del made["Resource"]
    return document([made], limit=TRUST_LIMIT, what="trust policy")


def base_user_policy(cells: Iterable[CellFacts]) -> Document:
    """What the processes' base identity may do: become the control plane of these cells, and nothing else."""
    roles = [naming.names_of_cell(cell).control_plane_role_arn for cell in cells]
    return document([statement("BecomeControlPlane", ("sts:AssumeRole",), roles)], limit=MANAGED_LIMIT, what="base policy")


def tenant_role_arns(cell: CellFacts, shared: CellNames) -> list[str]:
    """Patterns for every role that a tenant's credentials come from; the control plane's own role matches none of them."""
    own = arn(cell, "iam", f"role/{own_pattern(shared)}", region=False)
    return [own, f"{own}-stack", shared.access_role_arn]


def _actions(service: str, names: Iterable[str]) -> list[str]:
    return [f"{service}:{name}" for name in names]


def _ours(cell: CellFacts, kind: str) -> dict[str, dict[str, str]]:
    """Only what bears the cell's tag (``aws:ResourceTag``), or only what is given it (``aws:RequestTag``)."""
    return {"StringEquals": {f"aws:{kind}/{TAG_CELL}": cell.code, f"aws:{kind}/{TAG_MANAGED_BY}": MANAGED_BY}}


def _identity(cell: CellFacts) -> list[Statement]:
    pools = arn(cell, "cognito-idp", "userpool/*")
    return [
        statement("MakePools", ("cognito-idp:CreateUserPool",), "*", _ours(cell, "RequestTag")),
        statement("FindPools", ("cognito-idp:ListUserPools", "cognito-idp:DescribeUserPoolDomain"), "*"),
        statement("Pools", _actions("cognito-idp", _POOL_ACTIONS), pools, _ours(cell, "ResourceTag")),
    ]


def _storage(cell: CellFacts, shared: CellNames) -> list[Statement]:
    """The control plane writes one object a tenant, the empty marker ``tenants/<id>/``, and reads none but these.

    The stand-in drops the slash at the end of a key before it compares, so the marker stands here in both spellings.
    """
    buckets = arn(cell, "s3", f"{shared.flat_prefix}*", region=False, account=False)
    tables = arn(cell, "dynamodb", f"table/{shared.flat_prefix}*")
    marker = f"{buckets}/{shared.storage_root}tnt_{'?' * 26}"
    return [
        statement("Buckets", _actions("s3", _BUCKET_ACTIONS), buckets),
        statement("Objects", _actions("s3", _OBJECT_ACTIONS), f"{buckets}/*"),
        statement(
            "Markers", ("s3:PutObject", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObjectTagging"), (f"{marker}/", marker)
        ),
        statement("Tables", _actions("dynamodb", _TABLE_ACTIONS), tables),
        statement("LogGroups", _actions("logs", _LOG_ACTIONS), arn(cell, "logs", f"log-group:{shared.log_root}*")),
        statement("FindLogGroups", ("logs:DescribeLogGroups",), "*"),
    ]


def _keys_and_secrets(cell: CellFacts, shared: CellNames) -> list[Statement]:
    """A key is made with our tags, which takes the right to tag any key, and worked on by what its own policy grants.

    So the rights given here, for a key whose policy was changed under us, ask for our alias besides the tags: a stranger's key can be
    tagged with what we have, but not given an alias. Source: https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html
    """
    keys, aliases = arn(cell, "kms", "key/*"), f"alias/cp/{cell.code}/*"
    ours = _ours(cell, "ResourceTag")
    if cell.capabilities.request_details:
        ours["ForAnyValue:StringLike"] = {"kms:ResourceAliases": aliases}
    return [
        statement("MakeKeys", ("kms:CreateKey", "kms:TagResource"), "*", _ours(cell, "RequestTag")),
        statement("FindKeys", ("kms:ListAliases", "kms:ListKeys"), "*"),
        statement("Keys", _actions("kms", _KEY_ACTIONS), keys, ours),
        *_secret_writing(cell, shared),
        statement("Aliases", _actions("kms", _ALIAS_ACTIONS), arn(cell, "kms", aliases)),
        statement("FindSecrets", ("secretsmanager:ListSecrets",), "*"),
        statement(
            "Secrets",
            _actions("secretsmanager", _SECRET_ACTIONS),
            arn(cell, "secretsmanager", f"secret:{shared.secret_root}*"),
        ),
    ]


def _secret_writing(cell: CellFacts, shared: CellNames) -> list[Statement]:
    """The use of tenants' keys that writing their secrets takes; a stand-in asks for none, so it is given none."""
    if not cell.capabilities.encryption_context:
        return []
    return [statement("SecretKeys", SECRET_WRITING, any_key_arn(cell), through_secrets(cell, shared.secret_root))]


def _stacks(cell: CellFacts, shared: CellNames) -> list[Statement]:
    return [
        statement("Stacks", _actions("cloudformation", _STACK_ACTIONS), arn(cell, "cloudformation", f"stack/{shared.flat_prefix}*"))
    ]


def _blind_spots(cell: CellFacts) -> list[Statement]:
    """What a stand-in checks without the resource or the tags that the call names: there, and there only, the action alone is granted."""
    if cell.capabilities.request_details:
        return []
    pools = _actions("cognito-idp", ("CreateUserPool", *_POOL_ACTIONS))
    actions = (*pools, *_actions("kms", ("DescribeKey", *_ALIAS_ACTIONS)), *_actions("dynamodb", _TAG_ACTIONS), "iam:CreatePolicy")
    return [statement("BlindSpots", actions, "*")]


def _roles(cell: CellFacts, shared: CellNames) -> list[Statement]:
    """A role is made and its policies are written only while it is under the boundary.

    The stand-in fills ``iam:PermissionsBoundary`` in for nobody, where the condition would refuse us everything; it is rendered off
    there. ``iam:DeleteRolePermissionsBoundary``, ``iam:AttachRolePolicy`` and ``iam:PassRole`` are nowhere.
    """
    roles = tenant_role_arns(cell, shared)
    bound = {"StringEquals": {"iam:PermissionsBoundary": shared.boundary_arn}} if cell.capabilities.boundary_condition else None
    return [
        statement("Roles", _actions("iam", (*_ROLE_READ, *_ROLE_CHANGE)), roles),
        statement("BoundRoles", _actions("iam", _ROLE_BOUND), roles, bound),
        statement("Boundary", _actions("iam", _BOUNDARY_ACTIONS), shared.boundary_arn),
        statement("Vend", ("sts:AssumeRole", "sts:TagSession"), roles),
    ]
