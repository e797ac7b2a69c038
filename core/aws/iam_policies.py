"""IAM managed policies and their versions. AWS keeps at most five versions of a policy, so the oldest goes when a sixth is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import TagTypeDef

MAX_VERSIONS = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy; its document is read apart, with :meth:`IamPolicies.get_policy_document`."""

    arn: str
    name: str
    default_version: str
    tags: dict[str, str]


class IamPolicies(Gateway):
    """The managed policies' half of the IAM gateway."""

    _client: IAMClient

    def find_policy(self, arn: str) -> Policy | None:
        """Give the managed policy of this ARN, or None."""
        try:
            return _policy(self._call(self._client.get_policy, PolicyArn=arn)["Policy"])
        except AwsNotFoundError:
            return None

    def get_policy_document(self, policy: Policy) -> dict[str, Any]:
        """Give the document of the policy's default version; raises AwsNotFoundError."""
        answer = self._call(self._client.get_policy_version, PolicyArn=policy.arn, VersionId=policy.default_version)
        document: Any = answer["PolicyVersion"]["Document"]
        return dict(json.loads(document) if isinstance(document, str) else document)

    def create_policy(
        self, name: str, *, document: Mapping[str, Any], tags: Mapping[str, str], description: str = "", path: str = "/"
    ) -> Policy:
        """Make a managed policy; raises AwsAlreadyExistsError."""
        answer = self._call(
            self._client.create_policy,
            PolicyName=name,
            Path=path,
            PolicyDocument=json.dumps(document),
            Description=description,
            Tags=tag_list(tags),
        )["Policy"]
        return _policy({"Tags": tag_list(tags), **answer})

    def put_policy_document(self, arn: str, document: Mapping[str, Any]) -> None:
        """Write a new default version, after deleting the oldest ones that stand in its way; raises AwsNotFoundError.

        Not repeatable for free: each call writes a version. Compare with :meth:`get_policy_document` first.
        """
        spare = sorted((item for item in self._versions(arn) if not item["IsDefaultVersion"]), key=lambda item: item["CreateDate"])
        for item in spare[: max(0, len(spare) + 2 - MAX_VERSIONS)]:
            self._delete_version(arn, item["VersionId"])
        self._call(self._client.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)

    def put_policy_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_policy, PolicyArn=arn, Tags=tag_list(tags))

    def delete_policy(self, arn: str) -> None:
        """Delete a policy with all its versions; a missing one is fine. Raises AwsConflictError while it is attached."""
        try:
            for item in self._versions(arn):
                if not item["IsDefaultVersion"]:
                    self._delete_version(arn, item["VersionId"])
            self._call(self._client.delete_policy, PolicyArn=arn)
        except AwsNotFoundError:
            return

    def _versions(self, arn: str) -> list[Any]:
        fetch = partial(self._call, self._client.list_policy_versions, PolicyArn=arn)
        return list(pages(fetch, items="Versions", sent="Marker", received="Marker"))

    def _delete_version(self, arn: str, version: str) -> None:
        try:
            self._call(self._client.delete_policy_version, PolicyArn=arn, VersionId=version)
        except AwsNotFoundError:
            return


def tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    """Write tags the way IAM wants them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(raw: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Read tags the way IAM gives them."""
    return {item["Key"]: item["Value"] for item in raw}


def _policy(raw: Mapping[str, Any]) -> Policy:
    return Policy(raw["Arn"], raw["PolicyName"], raw.get("DefaultVersionId", "v1"), tags_of(raw.get("Tags", ())))
