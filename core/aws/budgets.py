"""What AWS allows an account in one region, in calls a second, as AWS publishes it; data for :mod:`core.aws.pacing`.

Each budget is shared by a group of operations, the way AWS groups them. ``published`` is AWS's default, adjustable for some; where AWS
publishes nothing, the number is a cautious choice of ours and says so. Where the grouping of an operation is not spelt out, it stands in
the narrower group. Operations that no group names are not paced.

Sources:
cognito-idp     https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html (categories,
                and 5 a second for one operation on one pool in those that read or change a pool's resources and clients)
kms             https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
secretsmanager  https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
logs            https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
sts             https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (600 a second an account and region)
dynamodb        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html (5 a second); the rest: ours
iam             no rate is published: https://repost.aws/knowledge-center/iam-sts-throttling-error; ours
cloudformation  no rate is published; ours
s3              bucket operations: no rate is published; ours. Objects have 3,500 writes a second a prefix and are not paced
events          PutEvents differs by region, 400 a second is the lowest published:
                https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.gcra import Limit


@dataclass(frozen=True, slots=True)
class Budget:
    """``per_second`` calls for all ``operations`` of a service together, or for each value of the parameter ``each``."""

    service: str
    group: str
    per_second: float
    operations: frozenset[str]
    published: bool = True
    each: str = ""

    def key(self, parameters: Mapping[str, Any]) -> str:
        """Name the limit that a call with these parameters counts against, within an account and region."""
        return f"{self.service}:{self.group}:{parameters.get(self.each, '')}" if self.each else f"{self.service}:{self.group}"

    def limit(self, share: float) -> Limit:
        """The limit that keeps within ``share`` of the budget; bursts are at most a second's worth."""
        rate = self.per_second * share
        return Limit.per_second(rate, burst=max(1, int(rate)))


def _budget(service: str, group: str, per_second: float, operations: str, *, published: bool = True) -> Budget:
    return Budget(service, group, per_second, frozenset(operations.split()), published)


_BUDGETS: tuple[Budget, ...] = (
    _budget("cognito-idp", "UserPoolRead", 15, "DescribeUserPool ListUserPools"),
    _budget("cognito-idp", "UserPoolUpdate", 15, "CreateUserPool UpdateUserPool DeleteUserPool"),
    _budget(
        "cognito-idp",
        "UserPoolResourceRead",
        20,
        "DescribeIdentityProvider DescribeResourceServer DescribeUserPoolDomain GetGroup GetUserPoolMfaConfig ListGroups ListTagsForResource",
    ),
    _budget(
        "cognito-idp",
        "UserPoolResourceUpdate",
        15,
        "AddCustomAttributes CreateGroup DeleteGroup UpdateGroup SetUserPoolMfaConfig TagResource UntagResource CreateIdentityProvider "
        "DeleteIdentityProvider UpdateIdentityProvider CreateUserPoolDomain DeleteUserPoolDomain",
    ),
    _budget("cognito-idp", "UserPoolClientRead", 15, "DescribeUserPoolClient ListUserPoolClients"),
    _budget("cognito-idp", "UserPoolClientUpdate", 15, "CreateUserPoolClient UpdateUserPoolClient DeleteUserPoolClient"),
    _budget(
        "cognito-idp",
        "UserAuthentication",
        120,
        "InitiateAuth AdminInitiateAuth RespondToAuthChallenge AdminRespondToAuthChallenge",
    ),
    _budget("cognito-idp", "UserCreation", 50, "AdminCreateUser AdminConfirmSignUp SignUp ConfirmSignUp"),
    _budget("cognito-idp", "UserRead", 120, "AdminGetUser GetUser"),
    _budget("cognito-idp", "UserList", 30, "ListUsers ListUsersInGroup"),
    _budget(
        "cognito-idp",
        "UserUpdate",
        25,
        "AdminAddUserToGroup AdminDeleteUser AdminDeleteUserAttributes AdminDisableUser AdminEnableUser AdminRemoveUserFromGroup "
        "AdminSetUserMFAPreference AdminUpdateUserAttributes AdminUserGlobalSignOut GlobalSignOut",
    ),
    _budget("cognito-idp", "UserResourceRead", 50, "AdminListGroupsForUser AdminListDevices AdminListUserAuthEvents"),
    _budget("cognito-idp", "UserAccountRecovery", 30, "AdminResetUserPassword AdminSetUserPassword ForgotPassword"),
    _budget("kms", "CreateKey", 5, "CreateKey"),
    _budget("kms", "CreateAlias", 5, "CreateAlias"),
    _budget("kms", "UpdateAlias", 5, "UpdateAlias"),
    _budget("kms", "DeleteAlias", 15, "DeleteAlias"),
    _budget("kms", "EnableKey", 5, "EnableKey"),
    _budget("kms", "DisableKey", 5, "DisableKey"),
    _budget("kms", "EnableKeyRotation", 15, "EnableKeyRotation"),
    _budget("kms", "PutKeyPolicy", 15, "PutKeyPolicy"),
    _budget("kms", "TagResource", 10, "TagResource"),
    _budget("kms", "ScheduleKeyDeletion", 15, "ScheduleKeyDeletion"),
    _budget("kms", "CancelKeyDeletion", 5, "CancelKeyDeletion"),
    _budget("kms", "ListKeys", 500, "ListKeys"),
    _budget("kms", "ListResourceTags", 2000, "ListResourceTags"),
    _budget("kms", "DescribeKey", 2000, "DescribeKey"),
    _budget("secretsmanager", "CreateSecret", 50, "CreateSecret"),
    _budget("secretsmanager", "DeleteSecret", 50, "DeleteSecret"),
    _budget("secretsmanager", "RestoreSecret", 50, "RestoreSecret"),
    _budget("secretsmanager", "PutSecretValue", 50, "PutSecretValue UpdateSecret UpdateSecretVersionStage"),
    _budget("secretsmanager", "TagResource", 50, "TagResource UntagResource"),
    _budget("secretsmanager", "ListSecrets", 100, "ListSecrets"),
    _budget("logs", "CreateLogGroup", 10, "CreateLogGroup"),
    _budget("logs", "DeleteLogGroup", 10, "DeleteLogGroup"),
    _budget("logs", "DescribeLogGroups", 10, "DescribeLogGroups"),
    _budget("logs", "PutRetentionPolicy", 5, "PutRetentionPolicy"),
    _budget("logs", "AssociateKmsKey", 5, "AssociateKmsKey"),
    _budget("logs", "ListTagsForResource", 5, "ListTagsForResource"),
    _budget("logs", "TagResource", 5, "TagResource"),
    _budget("sts", "sts", 600, "AssumeRole GetCallerIdentity GetFederationToken GetSessionToken"),
    _budget("dynamodb", "tables", 10, "CreateTable DeleteTable UpdateTable", published=False),
    _budget("dynamodb", "tags", 5, "TagResource UntagResource"),
    _budget("dynamodb", "UpdateContinuousBackups", 10, "UpdateContinuousBackups", published=False),
    _budget(
        "iam",
        "write",
        10,
        "CreateRole DeleteRole UpdateAssumeRolePolicy PutRolePermissionsBoundary PutRolePolicy DeleteRolePolicy TagRole AttachRolePolicy "
        "DetachRolePolicy CreatePolicy DeletePolicy CreatePolicyVersion DeletePolicyVersion TagPolicy",
        published=False,
    ),
    _budget(
        "iam",
        "read",
        30,
        "GetRole GetRolePolicy GetPolicy GetPolicyVersion ListRolePolicies ListAttachedRolePolicies ListPolicyVersions",
        published=False,
    ),
    _budget(
        "cloudformation",
        "write",
        2,
        "CreateStack UpdateStack DeleteStack CreateChangeSet ExecuteChangeSet DeleteChangeSet UpdateTerminationProtection "
        "ContinueUpdateRollback",
        published=False,
    ),
    _budget(
        "cloudformation",
        "read",
        10,
        "DescribeStacks DescribeStackEvents DescribeEvents ListStackResources DescribeChangeSet GetTemplate",
        published=False,
    ),
    _budget("s3", "buckets", 10, "CreateBucket DeleteBucket", published=False),
    _budget("events", "PutEvents", 400, "PutEvents"),
)

_OF_ONE_POOL = frozenset({"UserPoolResourceRead", "UserPoolResourceUpdate", "UserPoolClientRead", "UserPoolClientUpdate"})

BUDGETS: tuple[Budget, ...] = _BUDGETS + tuple(
    Budget(budget.service, operation, 5, frozenset({operation}), each="UserPoolId")
    for budget in _BUDGETS
    if budget.group in _OF_ONE_POOL
    for operation in sorted(budget.operations)
)
"""All budgets; a call may count against one of an account and one of its user pool."""
