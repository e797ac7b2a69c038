"""What AWS allows an account in one region, in calls a second, as AWS publishes it; data for :mod:`core.aws.pacing`.

Each budget is shared by a group of operations, the way AWS groups them. ``published`` is AWS's default, adjustable for some; where AWS
publishes nothing, the number is a cautious choice of ours and says so. Operations that no group names are not paced.

Sources, as read in November 2026:
cognito-idp     https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html (categories and default RPS)
kms             https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
secretsmanager  https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
logs            https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
sts             https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (600 a second an account and region)
dynamodb        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (control plane)
iam             no rate is published: https://repost.aws/knowledge-center/iam-sts-throttling-error; ours
cloudformation  no rate is published; ours
s3              bucket operations: no rate is published; ours. Objects have 3,500 writes a second a prefix and are not paced
events          PutEvents differs by region, 400 a second is the lowest published:
                https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

from dataclasses import dataclass

from core.gcra import Limit


@dataclass(frozen=True, slots=True)
class Budget:
    """``per_second`` calls for all ``operations`` of a service together, ``burst`` of them at once."""

    service: str
    group: str
    per_second: float
    operations: frozenset[str]
    published: bool = True

    def limit(self, share: float) -> Limit:
        """The limit that keeps within ``share`` of the budget; bursts are at most a second's worth."""
        rate = self.per_second * share
        return Limit.per_second(rate, burst=max(1, int(rate)))


def _budget(service: str, group: str, per_second: float, operations: str, *, published: bool = True) -> Budget:
    return Budget(service, group, per_second, frozenset(operations.split()), published)


BUDGETS: tuple[Budget, ...] = (
    _budget("cognito-idp", "UserPoolRead", 15, "DescribeUserPool ListUserPools"),
    _budget("cognito-idp", "UserPoolUpdate", 15, "CreateUserPool UpdateUserPool DeleteUserPool"),
    _budget(
        "cognito-idp",
        "UserPoolResourceRead",
        20,
        "DescribeIdentityProvider DescribeResourceServer GetGroup GetUserPoolMfaConfig ListGroups ListTagsForResource ListUsersInGroup",
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
    _budget("cognito-idp", "UserList", 30, "ListUsers"),
    _budget("cognito-idp", "UserToken", 120, "RevokeToken AdminUserGlobalSignOut GlobalSignOut"),
    _budget(
        "cognito-idp",
        "UserUpdate",
        25,
        "AdminAddUserToGroup AdminDeleteUser AdminDeleteUserAttributes AdminDisableUser AdminEnableUser AdminRemoveUserFromGroup "
        "AdminSetUserMFAPreference AdminUpdateUserAttributes",
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
    _budget("logs", "PutRetentionPolicy", 10, "PutRetentionPolicy", published=False),
    _budget("sts", "sts", 600, "AssumeRole GetCallerIdentity GetFederationToken GetSessionToken"),
    _budget("dynamodb", "control plane", 2500, "CreateTable DeleteTable UpdateTable DescribeTable ListTables"),
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
        "DescribeStacks DescribeStackEvents ListStackResources DescribeChangeSet GetTemplate",
        published=False,
    ),
    _budget("s3", "buckets", 10, "CreateBucket DeleteBucket", published=False),
    _budget("events", "PutEvents", 400, "PutEvents"),
)
