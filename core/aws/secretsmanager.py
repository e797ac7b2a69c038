"""Secrets Manager. Every read names a stage, every write a client token: fix token and value durably before the call, compare on retry.

A deleted secret keeps its name until its recovery window ends; creating it again raises AwsError (InvalidRequestException) until then:
``restore_secret`` is the way back.
"""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError, AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_secretsmanager import SecretsManagerClient

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its value; ``versions`` gives the stages of each version id; ``deleted_at`` is set while it waits for deletion."""

    name: str
    arn: str
    tags: dict[str, str]
    kms_key_id: str
    description: str
    deleted_at: datetime.datetime | None
    versions: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SecretValue:
    """One version's value, never shown in its repr."""

    version_id: str
    stages: tuple[str, ...]
    value: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """What a list tells of a secret."""

    name: str
    tags: dict[str, str]


class SecretsManager(Gateway):
    """The gateway to Secrets Manager. ``secret`` arguments take a name or an ARN."""

    _client: SecretsManagerClient

    def find_secret(self, secret: str) -> Secret | None:
        """Describe a secret, or None. One that waits for deletion is still found: read ``deleted_at``."""
        try:
            return self.get_secret(secret)
        except AwsNotFoundError:
            return None

    def get_secret(self, secret: str) -> Secret:
        """Describe a secret as :meth:`find_secret` does; raises AwsNotFoundError."""
        raw = self._call(self._client.describe_secret, SecretId=secret)
        return Secret(
            name=raw["Name"],
            arn=raw["ARN"],
            tags={item["Key"]: item["Value"] for item in raw.get("Tags", ())},
            kms_key_id=raw.get("KmsKeyId", ""),
            description=raw.get("Description", ""),
            deleted_at=raw.get("DeletedDate"),
            versions={version: tuple(sorted(stages)) for version, stages in raw.get("VersionIdsToStages", {}).items()},
        )

    def create_secret(
        self, name: str, *, token: str, value: str | None, tags: Mapping[str, str], kms_key_id: str = "", description: str = ""
    ) -> str:
        """Make a secret and give its ARN; ``token`` (32 to 64 characters) becomes the version id of ``value``.

        On AWS the same token and value again is fine. Raises AwsAlreadyExistsError. ``value`` None makes an empty container.
        """
        optional: dict[str, Any] = {} if value is None else {"SecretString": value}
        if kms_key_id:
            optional["KmsKeyId"] = kms_key_id
        answer = self._call(
            self._client.create_secret,
            Name=name,
            ClientRequestToken=token,
            Description=description,
            Tags=[{"Key": key, "Value": item} for key, item in tags.items()],
            **optional,
        )
        return answer["ARN"]

    def get_value(self, secret: str, *, stage: str = CURRENT) -> SecretValue:
        """Read the value of a stage; raises AwsNotFoundError when the secret, the stage or the text is missing."""
        answer = self._call(self._client.get_secret_value, SecretId=secret, VersionStage=stage)
        if answer.get("SecretString") is None:  # a binary value, or a stand-in's version without one: nothing to read as text
            raise AwsNotFoundError(
                f"Secret {secret} holds no text at {stage}.", service="secretsmanager", operation="GetSecretValue"
            )
        return SecretValue(answer["VersionId"], tuple(sorted(answer.get("VersionStages", ()))), answer["SecretString"])

    def find_value(self, secret: str, *, stage: str = CURRENT) -> SecretValue | None:
        """Read the value of a stage, or None when the secret, the stage or the text is missing."""
        try:
            return self.get_value(secret, stage=stage)
        except AwsNotFoundError:
            return None

    def put_value(self, secret: str, value: str, *, token: str, stages: tuple[str, ...] = (CURRENT,)) -> None:
        """Write a version whose id is ``token`` and give it ``stages``; raises AwsNotFoundError.

        On AWS the same token with another value is refused; a stand-in may overwrite, so compare first.
        """
        self._call(
            self._client.put_secret_value, SecretId=secret, SecretString=value, ClientRequestToken=token, VersionStages=list(stages)
        )

    def move_stage(self, secret: str, stage: str, *, to_version: str, from_version: str = "") -> None:
        """Move a stage from one version to another in one call. Moving AWSCURRENT leaves AWSPREVIOUS on the version it left."""
        optional: dict[str, Any] = {"RemoveFromVersionId": from_version} if from_version else {}
        self._call(
            self._client.update_secret_version_stage, SecretId=secret, VersionStage=stage, MoveToVersionId=to_version, **optional
        )

    def remove_stage(self, secret: str, stage: str, *, from_version: str) -> None:
        """Take a stage off a version; one that does not bear it is refused by AWS (InvalidParameterException)."""
        self._call(self._client.update_secret_version_stage, SecretId=secret, VersionStage=stage, RemoveFromVersionId=from_version)

    def list_secrets(self, path: str, *, with_deleted: bool = False) -> Iterator[ListedSecret]:
        """Give all secrets whose name begins with ``path``; with those that wait for their deletion, if asked for.

        AWS's list may lag behind a change by minutes.
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
        """
        fetch = partial(
            self._call,
            self._client.list_secrets,
            Filters=[{"Key": "name", "Values": [path]}],
            IncludePlannedDeletion=with_deleted,
            MaxResults=100,
        )
        for item in pages(fetch, items="SecretList", sent="NextToken", received="NextToken"):
            if item["Name"].startswith(path):
                yield ListedSecret(item["Name"], {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())})

    def put_secret_settings(self, secret: str, *, description: str = "", kms_key_id: str = "") -> None:
        """Set a secret's description or key, or both. A new key encrypts its staged versions anew; their values and stages stay.

        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html
        """
        optional: dict[str, Any] = {"KmsKeyId": kms_key_id} if kms_key_id else {}
        if description:
            optional["Description"] = description
        self._call(self._client.update_secret, SecretId=secret, **optional)

    def put_secret_tags(self, secret: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_resource, SecretId=secret, Tags=[{"Key": key, "Value": item} for key, item in tags.items()])

    def delete_secret(self, secret: str, *, recovery_days: int | None = 30) -> None:
        """Delete a secret after 7 to 30 days, or at once and for good when None; a missing or already deleted one is fine."""
        window: dict[str, Any] = {"RecoveryWindowInDays": recovery_days} if recovery_days else {"ForceDeleteWithoutRecovery": True}
        try:
            self._call(self._client.delete_secret, SecretId=secret, **window)
        except AwsNotFoundError:
            return
        except AwsError as error:
            if error.aws_code != "InvalidRequestException" or not recovery_days or not self._is_deleted(secret):
                raise

    def restore_secret(self, secret: str) -> None:
        """Take a deletion back; one that is not deleted is fine. Raises AwsNotFoundError once the window has passed."""
        try:
            self._call(self._client.restore_secret, SecretId=secret)
        except AwsError as error:
            if error.aws_code != "InvalidRequestException" or self._is_deleted(secret):
                raise

    def _is_deleted(self, secret: str) -> bool:
        found = self.find_secret(secret)
        return found is None or found.deleted_at is not None
