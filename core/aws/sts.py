"""STS: who am I, and short-lived credentials for a role."""

from __future__ import annotations

import dataclasses
import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws import credentials
from core.aws.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sts import STSClient


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom AWS sees."""

    account_id: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class VendedCredentials:
    """Credentials of a role session; the secret parts are never shown in its repr. ``expires_at`` is in UTC."""

    access_key: str
    secret_key: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)
    expires_at: datetime.datetime
    session_arn: str


class Sts(Gateway):
    """The gateway to STS."""

    _client: STSClient

    def get_caller_identity(self) -> Identity:
        """Say whose credentials are in use. Needs no permission."""
        answer = self._call(self._client.get_caller_identity)
        return Identity(answer["Account"], answer["Arn"], answer["UserId"])

    def assume_role(
        self,
        role_arn: str,
        *,
        session_name: str,
        seconds: int = 3600,
        session_policy: Mapping[str, Any] | str | None = None,
        tags: Mapping[str, str] | None = None,
        transitive: tuple[str, ...] = (),
        external_id: str = "",
    ) -> VendedCredentials:
        """Open a session of a role, narrowed by ``session_policy`` (at most 2,048 characters, compact JSON) and carrying session ``tags``.

        ``transitive`` names the tags that a further assumed role inherits. 900 to 43,200 seconds, at most 3,600 when a role assumes a
        role. Raises AwsAccessDeniedError, also for some seconds after the role was made (IAM spreads slowly).
        """
        optional: dict[str, Any] = {}
        if session_policy is not None:
            optional["Policy"] = (
                session_policy if isinstance(session_policy, str) else json.dumps(session_policy, separators=(",", ":"))
            )
        if tags:
            optional["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if transitive:
            optional["TransitiveTagKeys"] = list(transitive)
        if external_id:
            optional["ExternalId"] = external_id
        answer = self._call(
            self._client.assume_role,
            RoleArn=role_arn,
            RoleSessionName=credentials.session_name(session_name),
            DurationSeconds=seconds,
            **optional,
        )
        given = answer["Credentials"]
        return VendedCredentials(
            access_key=given["AccessKeyId"],
            secret_key=given["SecretAccessKey"],
            token=given["SessionToken"],
            expires_at=given["Expiration"],
            session_arn=answer["AssumedRoleUser"]["Arn"],
        )
