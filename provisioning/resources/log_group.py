"""The log group of a pooled or bridge tenant, with the retention of its tier. A silo's is part of its stack, under another name."""

from __future__ import annotations

from core.aws.errors import AwsAlreadyExistsError
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    NOT_SHOWN_YET,
    OWN,
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

KIND = "log_group"
DEPENDS_ON: tuple[str, ...] = ()
HOLDS_DATA = True


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One log group outside a stack."""
    if not exists(tenant) or tenant.tier.isolation_model.has_own_stack:
        return ()
    return (Desired(KIND, OWN, spec_of(tenant)),)


def spec_of(tenant: TenantFacts) -> Spec:
    """The log group under its present isolation model; a stack has one of the same shape."""
    names = names_of(tenant)
    return {
        "log_group": names.log_group,
        "arn": names.log_group_arn,
        "retention_days": tenant.tier.log_retention_days,
        "tags": tenant_tags(tenant),
    }


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no log group of its own."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the log group with its retention, or set right what differs."""
    name = spec["log_group"]
    found = None if known.is_new else aws.logs.find_log_group(name)
    if found is None:
        try:
            aws.logs.create_log_group(name, tags=spec["tags"])
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
    else:
        tags = aws.logs.list_log_group_tags(spec["arn"])
        require_ours(tags, spec, f"The log group {name}")
        if differences.of_tags(tags, spec["tags"]):
            aws.logs.put_log_group_tags(spec["arn"], spec["tags"])
    if found is None or found.retention_days != spec["retention_days"]:
        aws.logs.put_retention(name, spec["retention_days"])
    return Ensured({"log_group": name})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read retention and tags back."""
    found = aws.logs.find_log_group(spec["log_group"])
    if found is None:
        return ABSENT
    different = differences.of_values(("retention in days", found.retention_days or "unlimited", spec["retention_days"]))
    tags = differences.of_tags(aws.logs.list_log_group_tags(spec["arn"]), spec["tags"])
    return Observed(True, different + tags, {"log_group": found.name})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the log group with its events."""
    if aws.logs.find_log_group(spec["log_group"]) is not None:
        require_ours(aws.logs.list_log_group_tags(spec["arn"]), spec, f"The log group {spec['log_group']}")
        aws.logs.delete_log_group(spec["log_group"])
    return Removed()
