"""CloudWatch log groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_logs import CloudWatchLogsClient


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group; ``retention_days`` is 0 when events never expire; ``arn`` without the trailing ``:*``; tags are read apart."""

    name: str
    arn: str
    retention_days: int
    kms_key_arn: str


class Logs(Gateway):
    """The gateway to CloudWatch Logs."""

    _client: CloudWatchLogsClient

    def find_log_group(self, name: str) -> LogGroup | None:
        """Give the log group of exactly this name, or None. AWS matches prefixes and sorts by name, so the first page decides."""
        fetch = partial(self._call, self._client.describe_log_groups, logGroupNamePrefix=name)
        for item in pages(fetch, items="logGroups", sent="nextToken", received="nextToken"):
            if item["logGroupName"] == name:
                arn = item["arn"].removesuffix(":*")
                return LogGroup(name, arn, item.get("retentionInDays", 0), item.get("kmsKeyId", ""))
        return None

    def create_log_group(self, name: str, *, tags: Mapping[str, str], kms_key_arn: str = "") -> None:
        """Make a log group whose events never expire; raises AwsAlreadyExistsError. Retention is a call of its own."""
        optional: dict[str, Any] = {"kmsKeyId": kms_key_arn} if kms_key_arn else {}
        self._call(self._client.create_log_group, logGroupName=name, tags=dict(tags), **optional)

    def put_retention(self, name: str, days: int) -> None:
        """Let events expire after ``days``: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 ... as AWS lists them."""
        self._call(self._client.put_retention_policy, logGroupName=name, retentionInDays=days)

    def put_kms_key(self, name: str, kms_key_arn: str) -> None:
        """Encrypt new events under a key, whose policy must let the service use it."""
        self._call(self._client.associate_kms_key, logGroupName=name, kmsKeyId=kms_key_arn)

    def list_log_group_tags(self, arn: str) -> dict[str, str]:
        """Give a log group's tags; raises AwsNotFoundError."""
        return dict(self._call(self._client.list_tags_for_resource, resourceArn=arn).get("tags", {}))

    def put_log_group_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_resource, resourceArn=arn, tags=dict(tags))

    def delete_log_group(self, name: str) -> None:
        """Delete a log group with its events; a missing one is fine."""
        try:
            self._call(self._client.delete_log_group, logGroupName=name)
        except AwsNotFoundError:
            return
