"""S3 buckets. Objects are in :mod:`core.aws.s3_objects`.

A bucket of the wanted name may belong to a stranger (names are shared by all of AWS): ``find_bucket`` raises AwsAccessDeniedError then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.s3_objects import S3Objects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NO_LOCATION = "us-east-1"
"""The one region that CreateBucket must not be told."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's settings as read back. ``kms_key_arn`` is empty when S3's own keys encrypt; ``encryption`` is AES256 or aws:kms."""

    name: str
    tags: dict[str, str]
    encryption: str
    kms_key_arn: str
    bucket_key: bool
    versioning: bool
    public_access_blocked: bool
    owner_enforced: bool
    policy: dict[str, Any] | None


class S3(S3Objects):
    """The gateway to S3."""

    def find_bucket(self, name: str) -> Bucket | None:
        """Read a bucket's settings back, or None when there is none. Costs seven calls: HeadBucket, and one a setting."""
        if not self.is_bucket(name):
            return None
        rule = self._encryption(name)
        block = self._optional(self._client.get_public_access_block, name, {}).get("PublicAccessBlockConfiguration", {})
        policy = self._optional(self._client.get_bucket_policy, name, {}).get("Policy")
        return Bucket(
            name=name,
            tags=self.list_bucket_tags(name),
            encryption=rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", ""),
            kms_key_arn=rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", ""),
            bucket_key=rule.get("BucketKeyEnabled", False),
            versioning=self._call(self._client.get_bucket_versioning, Bucket=name).get("Status") == "Enabled",
            public_access_blocked=len(block) == 4 and all(block.values()),
            owner_enforced=self._ownership(name) == "BucketOwnerEnforced",
            policy=json.loads(policy) if policy else None,
        )

    def is_bucket(self, name: str) -> bool:
        """Say whether a bucket of this name is there and reachable; raises AwsAccessDeniedError for a stranger's."""
        try:
            self._call(self._client.head_bucket, Bucket=name)
        except AwsNotFoundError:
            return False
        return True

    def list_bucket_tags(self, name: str) -> dict[str, str]:
        """Give a bucket's tags; none when it has none or is missing."""
        answer = self._optional(self._client.get_bucket_tagging, name, {})
        return {item["Key"]: item["Value"] for item in answer.get("TagSet", ())}

    def create_bucket(self, name: str, *, tags: Mapping[str, str] | None = None) -> None:
        """Make an empty bucket; raises AwsAlreadyExistsError, but for our own in us-east-1, where AWS answers success again.

        AWS sets the tags in the same act; a stand-in may leave them out, so write :meth:`put_bucket_tags` next where that matters.
        """
        region = self._call.target.region
        configuration: Any = {} if region == NO_LOCATION else {"LocationConstraint": region}
        if tags:
            configuration["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        optional: dict[str, Any] = {"CreateBucketConfiguration": configuration} if configuration else {}
        self._call(self._client.create_bucket, Bucket=name, **optional)

    def put_bucket_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Set a bucket's tags, all of them: S3 drops those that are not named."""
        tag_set = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._call(self._client.put_bucket_tagging, Bucket=name, Tagging={"TagSet": tag_set})  # type: ignore[typeddict-item]

    def put_bucket_encryption(self, name: str, *, kms_key_arn: str = "", bucket_key: bool = True) -> None:
        """Encrypt new objects by default: under the given KMS key, or under S3's own.

        ``bucket_key`` saves calls to KMS; the price is an encryption context that names the bucket and not the object.
        """
        default: Any = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key_arn} if kms_key_arn else {"SSEAlgorithm": "AES256"}
        rule: Any = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bool(kms_key_arn) and bucket_key}
        self._call(self._client.put_bucket_encryption, Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def put_bucket_versioning(self, name: str) -> None:
        """Keep every version of every object."""
        self._call(self._client.put_bucket_versioning, Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def put_public_access_block(self, name: str) -> None:
        """Refuse every kind of public access."""
        self._call(
            self._client.put_public_access_block,
            Bucket=name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )

    def put_bucket_ownership(self, name: str) -> None:
        """Switch object ACLs off: the bucket's owner owns every object."""
        rules: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        self._call(self._client.put_bucket_ownership_controls, Bucket=name, OwnershipControls=rules)

    def put_bucket_policy(self, name: str, document: Mapping[str, Any]) -> None:
        """Replace the bucket's policy."""
        self._call(self._client.put_bucket_policy, Bucket=name, Policy=json.dumps(document))

    def delete_bucket_policy(self, name: str) -> None:
        """Remove the bucket's policy; a missing one is fine."""
        self._optional(self._client.delete_bucket_policy, name, None)

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket; a missing one is fine. Raises AwsConflictError while it holds anything, old versions included."""
        self._optional(self._client.delete_bucket, name, None)

    def _ownership(self, name: str) -> str:
        rules = self._optional(self._client.get_bucket_ownership_controls, name, {}).get("OwnershipControls", {}).get("Rules", ())
        return str(rules[0]["ObjectOwnership"]) if rules else ""

    def _encryption(self, name: str) -> Mapping[str, Any]:
        answer = self._optional(self._client.get_bucket_encryption, name, {})
        rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", ())
        return rules[0] if rules else {}

    def _optional(self, method: Callable[..., Any], name: str, missing: Any) -> Any:
        try:
            return self._call(method, Bucket=name)
        except AwsNotFoundError:
            return missing
