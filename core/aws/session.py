"""In whose name calls go: :func:`connect` gives an :class:`Aws` with one gateway a service.

An Aws is cheap: it holds a target and a way to credentials. Clients are shared by the whole process, role sessions are kept by role and
session name and renewed before they expire.
"""

from __future__ import annotations

import datetime
import os
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.credentials import ReadOnlyCredentials

from core.aws import credentials
from core.aws.calls import Caller
from core.aws.clients import Target, endpoint_of, shared
from core.aws.cloudformation import CloudFormation
from core.aws.cognito import Cognito
from core.aws.dynamodb import DynamoDB
from core.aws.events import Events
from core.aws.iam import Iam
from core.aws.kms import Kms
from core.aws.logs import Logs
from core.aws.s3 import S3
from core.aws.secretsmanager import SecretsManager
from core.aws.signing_in import SigningIn
from core.aws.sts import Sts

if TYPE_CHECKING:
    from core.aws.calls import Pace
    from core.aws.clients import Handler

__all__ = ["Aws", "Target", "connect", "forget_credentials", "register_handler", "unregister_handler"]

ROLE_SECONDS = 3600
"""How long a role session lasts: AWS's ceiling for a role assumed by a role."""

_sessions = credentials.SessionCache()
os.register_at_fork(after_in_child=_sessions.clear)


class Aws:
    """One target under one name: what resource modules get. A gateway is made when it is first asked for.

    Every gateway method raises :class:`core.aws.errors.AwsError` and nothing else of AWS's.
    """

    def __init__(self, target: Target, caller: Caller) -> None:
        self.target = target
        self._caller = caller

    def with_credentials(self, access_key: str, secret_key: str, token: str | None = None) -> Aws:
        """Give an Aws for the same place that acts with these credentials, such as a tenant's vended ones."""
        return Aws(self.target, Caller(self.target, credentials.Fixed(access_key, secret_key, token), self._caller.pacer))

    @cached_property
    def cognito(self) -> Cognito:
        """Cognito user pools."""
        return Cognito(self._caller, shared.get("cognito-idp", self.target))

    @cached_property
    def signing_in(self) -> SigningIn:
        """Cognito's public half: what a person's browser would call."""
        return SigningIn(self._caller, shared.get("cognito-idp", self.target))

    @cached_property
    def iam(self) -> Iam:
        """IAM roles and policies."""
        return Iam(self._caller, shared.get("iam", self.target))

    @cached_property
    def sts(self) -> Sts:
        """STS: who am I, and short-lived credentials."""
        return Sts(self._caller, shared.get("sts", self.target))

    @cached_property
    def s3(self) -> S3:
        """S3 buckets and objects."""
        return S3(self._caller, shared.get("s3", self.target))

    @cached_property
    def dynamodb(self) -> DynamoDB:
        """DynamoDB tables and items."""
        return DynamoDB(self._caller, shared.get("dynamodb", self.target))

    @cached_property
    def kms(self) -> Kms:
        """KMS keys and aliases."""
        return Kms(self._caller, shared.get("kms", self.target))

    @cached_property
    def secretsmanager(self) -> SecretsManager:
        """Secrets Manager."""
        return SecretsManager(self._caller, shared.get("secretsmanager", self.target))

    @cached_property
    def cloudformation(self) -> CloudFormation:
        """CloudFormation stacks."""
        return CloudFormation(self._caller, shared.get("cloudformation", self.target))

    @cached_property
    def logs(self) -> Logs:
        """CloudWatch log groups."""
        return Logs(self._caller, shared.get("logs", self.target))

    @cached_property
    def events(self) -> Events:
        """EventBridge."""
        return Events(self._caller, shared.get("events", self.target))


def connect(target: Target, *, session_name: str, pacer: Pace | None = None) -> Aws:
    """Give the gateways for ``target``; nothing is called yet.

    ``session_name`` is what CloudTrail will show (tenant and actor); characters that STS refuses become ``-`` and it is cut at 64. With
    a ``role_arn`` the role is assumed at the first call, once an hour for each role and name. ``pacer`` None means no pacing.
    """
    ambient = credentials.Ambient(shared.ambient)
    if not target.role_arn:
        return Aws(target, Caller(target, ambient, pacer))
    name = credentials.session_name(session_name)

    def assume() -> tuple[ReadOnlyCredentials, datetime.datetime]:
        sts = Sts(Caller(target, ambient, pacer), shared.get("sts", target))
        vended = sts.assume_role(target.role_arn, session_name=name, seconds=ROLE_SECONDS)
        return ReadOnlyCredentials(vended.access_key, vended.secret_key, vended.token), vended.expires_at

    key = (target.role_arn, target.region, endpoint_of(target), name)
    return Aws(target, Caller(target, _sessions.get_or_make(key, lambda: credentials.AssumedRole(assume)), pacer))


def forget_credentials() -> None:
    """Drop all role sessions and the ambient credentials: for a changed environment, or a stand-in that lost its state.

    An Aws that was connected before may keep its old session: connect anew.
    """
    _sessions.clear()
    shared.forget_ambient()


def register_handler(event: str, handler: Handler) -> None:
    """Attach a botocore event handler to every client of this process, present and future. For fault injection and measurement."""
    shared.register(event, handler)


def unregister_handler(event: str, handler: Handler) -> None:
    """Take a handler off again."""
    shared.unregister(event, handler)
