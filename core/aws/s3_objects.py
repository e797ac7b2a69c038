"""S3 objects: the few calls that onboarding, offboarding and the isolation checks need. Whole small objects only; nothing is streamed."""

from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from core.aws.errors import FAILURES, AwsError, AwsNotFoundError, translate
from core.aws.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

PAGE = 1000
"""Keys in one list or one bulk delete: AWS's maximum."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object without its content; ``size`` in bytes."""

    key: str
    size: int
    modified_at: datetime.datetime
    etag: str
    kms_key_arn: str = ""


@dataclass(frozen=True, slots=True)
class Emptied:
    """How far a deletion got: versions deleted this time, and whether nothing is left."""

    deleted: int
    done: bool


class S3Objects(Gateway):
    """The objects' half of the S3 gateway."""

    _client: S3Client

    def put_object(
        self,
        bucket: str,
        key: str,
        body: bytes = b"",
        *,
        tags: Mapping[str, str] | None = None,
        kms_key_arn: str = "",
        s3_key: bool = False,
    ) -> None:
        """Write an object whole. Without ``kms_key_arn`` the bucket's default encryption applies, or S3's own key with ``s3_key``."""
        optional: dict[str, Any] = {}
        if tags:
            optional["Tagging"] = urlencode(tags)
        if kms_key_arn:
            optional |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_arn}
        elif s3_key:
            optional["ServerSideEncryption"] = "AES256"
        self._call(self._client.put_object, Bucket=bucket, Key=key, Body=body, **optional)

    def find_object(self, bucket: str, key: str) -> ObjectInfo | None:
        """Describe an object, or None. Without permission to list, AWS says *denied* where it means *missing*."""
        try:
            answer = self._call(self._client.head_object, Bucket=bucket, Key=key)
        except AwsNotFoundError:
            return None
        return ObjectInfo(key, answer["ContentLength"], answer["LastModified"], answer["ETag"], answer.get("SSEKMSKeyId", ""))

    def get_object(self, bucket: str, key: str) -> bytes:
        """Read an object whole; raises AwsNotFoundError."""
        body = self._call(self._client.get_object, Bucket=bucket, Key=key)["Body"]
        try:
            return body.read()
        except FAILURES as error:
            raise translate(error, service="s3", operation="GetObject") from error

    def list_object_tags(self, bucket: str, key: str) -> dict[str, str]:
        """Give an object's tags; raises AwsNotFoundError."""
        answer = self._call(self._client.get_object_tagging, Bucket=bucket, Key=key)
        return {item["Key"]: item["Value"] for item in answer["TagSet"]}

    def list_objects(self, bucket: str, *, prefix: str, limit: int = PAGE) -> tuple[ObjectInfo, ...]:
        """Give the first objects under a prefix by key, at most ``limit`` and at most 1,000."""
        answer = self._call(self._client.list_objects_v2, Bucket=bucket, Prefix=prefix, MaxKeys=min(limit, PAGE))
        return tuple(
            ObjectInfo(item["Key"], item["Size"], item["LastModified"], item["ETag"]) for item in answer.get("Contents", ())
        )

    def copy_object(self, bucket: str, key: str, *, source_bucket: str, source_key: str) -> None:
        """Copy an object within S3; needs to read the one and write the other."""
        self._call(self._client.copy_object, Bucket=bucket, Key=key, CopySource={"Bucket": source_bucket, "Key": source_key})

    def delete_object(self, bucket: str, key: str) -> None:
        """Delete an object; a missing one is fine. In a versioned bucket the old versions stay: see :meth:`delete_prefix`."""
        try:
            self._call(self._client.delete_object, Bucket=bucket, Key=key)
        except AwsNotFoundError:
            return

    def delete_prefix(self, bucket: str, prefix: str, *, pages: int = 10) -> Emptied:
        """Delete all versions and delete markers under a prefix, at most ``pages`` times 1,000 of them; call again until done.

        Raises ValueError for a prefix that does not end in ``/``: it would take ``acme-west`` along with ``acme``. A missing bucket
        is empty. Refused deletions raise AwsError with the first refusal.
        """
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix to delete must end in '/': {prefix!r}")
        return self._delete_versions(bucket, prefix, pages)

    def empty_bucket(self, bucket: str, *, pages: int = 10) -> Emptied:
        """Delete everything in a bucket, all versions, at most ``pages`` times 1,000; call again until done. A missing bucket is empty."""
        return self._delete_versions(bucket, "", pages)

    def _delete_versions(self, bucket: str, prefix: str, pages: int) -> Emptied:
        deleted = 0
        try:
            for _ in range(pages):
                page = self._call(self._client.list_object_versions, Bucket=bucket, Prefix=prefix, MaxKeys=PAGE)
                found = itertools.chain(page.get("Versions", ()), page.get("DeleteMarkers", ()))
                doomed = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
                if not doomed:
                    return Emptied(deleted, done=True)
                self._delete_page(bucket, doomed)
                deleted += len(doomed)
                if not page.get("IsTruncated"):
                    return Emptied(deleted, done=True)
        except AwsNotFoundError:
            return Emptied(deleted, done=True)
        return Emptied(deleted, done=False)

    def _delete_page(self, bucket: str, doomed: list[dict[str, str]]) -> None:
        objects: Any = doomed
        answer = self._call(self._client.delete_objects, Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for refusal in answer.get("Errors", ()):
            raise AwsError(
                f"s3 DeleteObjects: {refusal.get('Code')}: {refusal.get('Message')} ({len(answer['Errors'])} keys)",
                aws_code=refusal.get("Code", ""),
                service="s3",
                operation="DeleteObjects",
                request_id=answer["ResponseMetadata"].get("RequestId", ""),
                retryable=refusal.get("Code") in ("InternalError", "SlowDown"),
            )
