"""A bucket: encrypted under a KMS key, versioned, closed to the public, owned by its owner alone, TLS only.

The cell's shared bucket is made here; a silo's own comes with its stack, is read back here, and set right here when somebody changed it.
The shared bucket has no bucket key: with one, the encryption context would name the bucket, which is the same for every pooled tenant.
"""

from __future__ import annotations

from core.aws.errors import AwsAlreadyExistsError
from core.aws.s3 import Bucket
from core.aws.session import Aws
from provisioning.isolation import policies
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    NOT_SHOWN_YET,
    OWN,
    SHARED,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    cell_tags,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, names_of_cell, tenant_tags

KIND = "bucket"
DEPENDS_ON: tuple[str, ...] = ("kms_key",)
HOLDS_DATA = True


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A tenant's own bucket is part of its stack."""
    return ()


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One bucket for all pooled and bridge tenants."""
    spec = {
        "bucket": names_of_cell(cell).bucket,
        "policy": policies.shared_bucket_policy(cell),
        "key": SHARED,
        "bucket_key": False,
        "tags": cell_tags(cell),
    }
    return (Desired(KIND, SHARED, spec),)


def spec_of(tenant: TenantFacts) -> Spec:
    """A silo's own bucket, as its stack makes it."""
    return {
        "bucket": names_of(tenant).bucket,
        "policy": policies.own_bucket_policy(tenant),
        "key": OWN,
        "bucket_key": True,
        "tags": tenant_tags(tenant),
    }


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the bucket, or set right what differs."""
    name, key_arn = spec["bucket"], str(known.at(spec["key"], "kms_key")["arn"])
    found = aws.s3.find_bucket(name)
    if found is None:
        try:
            aws.s3.create_bucket(name, tags=spec["tags"])
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
        found = Bucket(name, dict(spec["tags"]), "", "", False, False, False, False, None)
        aws.s3.put_bucket_tags(name, spec["tags"])
    elif not _is_own_beginning(aws, found, known):
        require_ours(found.tags, spec, f"The bucket {name}")
    _correct(aws, found, spec, key_arn)
    return Ensured({"bucket": name})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read encryption, versioning, public access, ownership, policy and tags back."""
    found = aws.s3.find_bucket(spec["bucket"])
    if found is None:
        return ABSENT
    return Observed(True, _differences(found, spec, str(known.at(spec["key"], "kms_key")["arn"])), {"bucket": found.name})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete every version of every object, then the bucket; asks to be called again while there is more."""
    name = spec["bucket"]
    if not aws.s3.is_bucket(name):
        return Removed()
    require_ours(aws.s3.list_bucket_tags(name), spec, f"The bucket {name}")
    emptied = aws.s3.empty_bucket(name)
    if not emptied.done:
        return Wait(1, f"{emptied.deleted} object versions deleted, more to come")
    aws.s3.delete_bucket(name)
    return Removed()


def _is_own_beginning(aws: Aws, found: Bucket, known: Known) -> bool:
    """An empty bucket without any tag, of a name that we were about to make: a stand-in makes a bucket first and tags it after.

    On AWS both are one act and this never applies, because ours is tagged from its first moment.
    """
    return not found.tags and not known.fresh and not aws.s3.list_objects(found.name, prefix="", limit=1)


def _correct(aws: Aws, found: Bucket, spec: Spec, key_arn: str) -> None:
    name = found.name
    if differences.of_tags(found.tags, spec["tags"]):
        aws.s3.put_bucket_tags(
            name, {**found.tags, **spec["tags"]}
        )  # S3 drops what is not named, CloudFormation's own tags included
    if _encryption(found) != ("aws:kms", key_arn, spec["bucket_key"]):
        aws.s3.put_bucket_encryption(name, kms_key_arn=key_arn, bucket_key=spec["bucket_key"])
    if not found.versioning:
        aws.s3.put_bucket_versioning(name)
    if not found.public_access_blocked:
        aws.s3.put_public_access_block(name)
    if not found.owner_enforced:
        aws.s3.put_bucket_ownership(name)
    if _policy_differs(found, spec):
        if spec["policy"]["Statement"]:
            aws.s3.put_bucket_policy(name, spec["policy"])
        else:
            aws.s3.delete_bucket_policy(name)


def _differences(found: Bucket, spec: Spec, key_arn: str) -> tuple[str, ...]:
    return (
        *differences.of_values(
            ("encryption", found.encryption or "missing", "aws:kms"),
            ("KMS key", found.kms_key_arn or "missing", key_arn),
            ("bucket key", found.bucket_key, spec["bucket_key"]),
            ("versioning", found.versioning, True),
            ("block of public access", found.public_access_blocked, True),
            ("ownership by the bucket's owner", found.owner_enforced, True),
        ),
        *_policy_differs(found, spec),
        *differences.of_tags(found.tags, spec["tags"]),
    )


def _encryption(found: Bucket) -> tuple[str, str, bool]:
    return found.encryption, found.kms_key_arn, found.bucket_key


def _policy_differs(found: Bucket, spec: Spec) -> tuple[str, ...]:
    if not spec["policy"]["Statement"]:
        return ("there is a bucket policy, promised none",) if found.policy else ()
    return differences.of_document("the bucket policy", found.policy, spec["policy"])
