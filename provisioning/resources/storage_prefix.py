"""A tenant's prefix in the shared bucket, witnessed by an empty, tagged object whose key is the prefix itself.

The marker is encrypted with S3's own key: it holds nothing, and the control plane may not use a tenant's or a cell's key. The prefix is made
of the tenant's id inside our own bucket, so what lies under it is the tenant's, whether or not the marker is still there.
"""

from __future__ import annotations

from core.aws.errors import AwsError, AwsNotFoundError
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    SHARED,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    exists,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, tenant_tags

KIND = "storage_prefix"
DEPENDS_ON: tuple[str, ...] = ("bucket",)
HOLDS_DATA = True


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A prefix for every tenant without a bucket of its own."""
    if not exists(tenant) or tenant.tier.isolation_model.has_own_stack:
        return ()
    names = names_of(tenant)
    return (Desired(KIND, SHARED, {"bucket": names.storage_bucket, "prefix": names.storage_prefix, "tags": tenant_tags(tenant)}),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no prefix of its own."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Write the marker, or its tags anew."""
    tags = None if known.is_new else _marker_tags(aws, spec)
    if tags is not None:
        require_ours(tags, spec, f"The object {spec['prefix']}")
    if tags is None or differences.of_tags(tags, spec["tags"]):
        aws.s3.put_object(spec["bucket"], spec["prefix"], tags=spec["tags"], s3_key=True)
    return Ensured(_attributes(spec))


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the marker's tags back."""
    tags = _marker_tags(aws, spec)
    return ABSENT if tags is None else Observed(True, differences.of_tags(tags, spec["tags"]), _attributes(spec))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete every version of every object under the prefix; asks to be called again while there is more."""
    tags = _marker_tags(aws, spec)
    if tags is not None:
        require_ours(tags, spec, f"The object {spec['prefix']}")
    emptied = aws.s3.delete_prefix(spec["bucket"], spec["prefix"])
    return Removed() if emptied.done else Wait(1, f"{emptied.deleted} object versions deleted, more to come")


def _marker_tags(aws: Aws, spec: Spec) -> dict[str, str] | None:
    try:
        return aws.s3.list_object_tags(spec["bucket"], spec["prefix"])
    except AwsNotFoundError:
        return None
    except AwsError as error:
        if error.aws_code == "MethodNotAllowed":  # the newest version is a delete marker
            return None
        raise


def _attributes(spec: Spec) -> dict[str, str]:
    return {"bucket": spec["bucket"], "prefix": spec["prefix"]}
