"""DynamoDB tables, and the few item calls that the isolation checks need. Keys and values of items are plain strings here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``status`` as AWS names it (CREATING, ACTIVE ...); ``keys`` partition first; tags and recovery are read apart."""

    name: str
    arn: str
    status: str
    keys: tuple[str, ...]
    kms_key_arn: str
    deletion_protection: bool


class DynamoDB(Gateway):
    """The gateway to DynamoDB."""

    _client: DynamoDBClient

    def find_table(self, name: str) -> Table | None:
        """Describe a table, or None."""
        try:
            return _table(self._call(self._client.describe_table, TableName=name)["Table"])
        except AwsNotFoundError:
            return None

    def create_table(
        self,
        name: str,
        *,
        partition_key: str,
        sort_key: str = "",
        tags: Mapping[str, str],
        kms_key_arn: str = "",
        deletion_protection: bool = False,
    ) -> Table:
        """Start making a table that is paid by request, with string keys; raises AwsAlreadyExistsError. Poll until ACTIVE."""
        keys = [(partition_key, "HASH"), *([(sort_key, "RANGE")] if sort_key else [])]
        encryption: Any = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": kms_key_arn} if kms_key_arn else None
        optional: dict[str, Any] = {"SSESpecification": encryption} if encryption else {}
        answer = self._call(
            self._client.create_table,
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],  # type: ignore[typeddict-item]
            BillingMode="PAY_PER_REQUEST",
            Tags=_tag_list(tags),
            DeletionProtectionEnabled=deletion_protection,
            **optional,
        )
        return _table(answer["TableDescription"])

    def put_deletion_protection(self, name: str, *, enabled: bool) -> None:
        """Refuse or allow deletion of the table."""
        self._call(self._client.update_table, TableName=name, DeletionProtectionEnabled=enabled)

    def is_recoverable(self, name: str) -> bool:
        """Say whether point-in-time recovery is on; raises AwsNotFoundError."""
        answer = self._call(self._client.describe_continuous_backups, TableName=name)
        recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

    def put_point_in_time_recovery(self, name: str, *, enabled: bool = True) -> None:
        """Switch point-in-time recovery. The table must be ACTIVE; soon after its making AWS may ask to try again."""
        self._call(
            self._client.update_continuous_backups,
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )

    def list_table_tags(self, arn: str) -> dict[str, str]:
        """Give a table's tags; raises AwsNotFoundError."""
        fetch = partial(self._call, self._client.list_tags_of_resource, ResourceArn=arn)
        return {item["Key"]: item["Value"] for item in pages(fetch, items="Tags", sent="NextToken", received="NextToken")}

    def put_table_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_resource, ResourceArn=arn, Tags=_tag_list(tags))

    def delete_table(self, name: str) -> None:
        """Start deleting a table; a missing one is fine. Raises AwsConflictError while it is being made or changed."""
        try:
            self._call(self._client.delete_table, TableName=name)
        except AwsNotFoundError:
            return

    def put_item(self, table: str, item: Mapping[str, str]) -> None:
        """Write an item, replacing it."""
        self._call(self._client.put_item, TableName=table, Item=_typed(item))

    def find_item(self, table: str, key: Mapping[str, str]) -> dict[str, str] | None:
        """Read an item strongly consistent, or None."""
        answer = self._call(self._client.get_item, TableName=table, Key=_typed(key), ConsistentRead=True)
        return _plain(answer["Item"]) if "Item" in answer else None

    def list_items(self, table: str, *, partition_key: str, value: str, limit: int = 100) -> tuple[dict[str, str], ...]:
        """Give the first items under one partition key."""
        answer = self._call(
            self._client.query,
            TableName=table,
            KeyConditionExpression="#p = :v",
            ExpressionAttributeNames={"#p": partition_key},
            ExpressionAttributeValues={":v": {"S": value}},
            Limit=limit,
        )
        return tuple(_plain(item) for item in answer["Items"])

    def scan_items(self, table: str, *, limit: int = 100) -> tuple[dict[str, str], ...]:
        """Give the first items of the whole table: what no tenant may do."""
        return tuple(_plain(item) for item in self._call(self._client.scan, TableName=table, Limit=limit)["Items"])

    def delete_item(self, table: str, key: Mapping[str, str]) -> None:
        """Delete an item; a missing one is fine."""
        self._call(self._client.delete_item, TableName=table, Key=_typed(key))


def _tag_list(tags: Mapping[str, str]) -> Any:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _typed(item: Mapping[str, str]) -> Any:
    return {key: {"S": value} for key, value in item.items()}


def _plain(item: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(next(iter(value.values()))) for key, value in item.items()}


def _table(raw: Mapping[str, Any]) -> Table:
    by_kind = {key["KeyType"]: key["AttributeName"] for key in raw.get("KeySchema", ())}
    return Table(
        name=raw["TableName"],
        arn=raw["TableArn"],
        status=raw["TableStatus"],
        keys=tuple(by_kind[kind] for kind in ("HASH", "RANGE") if kind in by_kind),
        kms_key_arn=raw.get("SSEDescription", {}).get("KMSMasterKeyArn", ""),
        deletion_protection=raw.get("DeletionProtectionEnabled", False),
    )
