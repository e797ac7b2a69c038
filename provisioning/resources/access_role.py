"""The role that a tenant's credentials come from: a bridge tenant's own, or the one that a cell's pooled tenants share.

A silo's role comes with its stack, is read back here, and set right here. Every role stands under the cell's boundary and has one inline
policy and nothing else: whatever else somebody puts or attaches is a difference, and is taken off. While a tenant is suspended its role's
policy denies everything, to sessions that were given out before as well.
"""

from __future__ import annotations

from typing import Any

from core.aws.errors import AwsAlreadyExistsError
from core.aws.iam import Role
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
    exists,
    require_ours,
)
from tenants.facts import CellFacts, IsolationModel, TenantFacts
from tenants.naming import names_of, names_of_cell, tenant_tags

KIND = "access_role"
DEPENDS_ON: tuple[str, ...] = ("boundary", "kms_key")
HOLDS_DATA = False

POLICY = "access"


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A role of its own for a bridge tenant."""
    if not exists(tenant) or tenant.tier.isolation_model is not IsolationModel.BRIDGE:
        return ()
    return (Desired(KIND, OWN, spec_of(tenant)),)


def spec_of(tenant: TenantFacts) -> Spec:
    """The tenant's own role under its present isolation model; a stack has one of the same shape."""
    names = names_of(tenant)
    return {
        "role": names.role,
        "trust": policies.tenant_role_trust(tenant),
        "policy": policies.role_policy(tenant),
        "boundary_arn": names_of_cell(tenant.cell).boundary_arn,
        "key": OWN,
        "tags": tenant_tags(tenant),
    }


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One role for all pooled tenants, held apart by session tags."""
    names = names_of_cell(cell)
    spec = {
        "role": names.access_role,
        "trust": policies.pool_role_trust(cell),
        "policy": policies.pool_role_policy(cell),
        "boundary_arn": names.boundary_arn,
        "key": SHARED,
        "tags": cell_tags(cell),
    }
    return (Desired(KIND, SHARED, spec),)


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the role with its policy, or set right what differs."""
    name, document = spec["role"], _policy(aws, spec, known)
    found = None if known.is_new else aws.iam.find_role(name)
    if found is None:
        try:
            role = aws.iam.create_role(name, trust=spec["trust"], tags=spec["tags"], boundary_arn=spec["boundary_arn"])
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
        aws.iam.put_role_policy(name, POLICY, document)
        return Ensured(_attributes(role))
    require_ours(found.tags, spec, f"The role {name}")
    _correct(aws, found, spec)
    _correct_policies(aws, name, document)
    return Ensured(_attributes(found))


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read trust, boundary, tags and all policies back."""
    found = aws.iam.find_role(spec["role"])
    if found is None:
        return ABSENT
    different = (
        *differences.of_document("the trust policy", found.trust, spec["trust"]),
        *differences.of_values(("boundary", found.boundary_arn or "missing", spec["boundary_arn"])),
        *differences.of_tags(found.tags, spec["tags"]),
        *differences.of_document("the access policy", aws.iam.find_role_policy(found.name, POLICY), _policy(aws, spec, known)),
        *differences.of_names("inline policy", aws.iam.list_role_policies(found.name), (POLICY,)),
        *differences.of_names("attached policy", aws.iam.list_attached_role_policies(found.name), ()),
    )
    return Observed(True, different, _attributes(found))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the role; its sessions end with it."""
    found = aws.iam.find_role(spec["role"])
    if found is not None:
        require_ours(found.tags, spec, f"The role {spec['role']}")
        aws.iam.delete_role(found.name)
    return Removed()


def _correct(aws: Aws, found: Role, spec: Spec) -> None:
    if found.boundary_arn != spec["boundary_arn"]:
        aws.iam.put_role_boundary(found.name, spec["boundary_arn"])
    if differences.of_document("trust", found.trust, spec["trust"]):
        aws.iam.put_role_trust(found.name, spec["trust"])
    if differences.of_tags(found.tags, spec["tags"]):
        aws.iam.put_role_tags(found.name, spec["tags"])


def _correct_policies(aws: Aws, name: str, document: dict[str, Any]) -> None:
    if differences.of_document("policy", aws.iam.find_role_policy(name, POLICY), document):
        aws.iam.put_role_policy(name, POLICY, document)
    for extra in aws.iam.list_role_policies(name):
        if extra != POLICY:
            aws.iam.delete_role_policy(name, extra)
    for arn in aws.iam.list_attached_role_policies(name):
        aws.iam.detach_role_policy(name, arn)


def _policy(aws: Aws, spec: Spec, known: Known) -> dict[str, Any]:
    """The document with the key's ARN, which AWS chose, in the place that was kept for it."""
    target = aws.target
    cell = CellFacts("", "", "", target.partition, target.region, target.account_id)
    return policies.fill_key(spec["policy"], str(known.at(spec["key"], "kms_key")["arn"]), cell)


def _attributes(role: Role) -> dict[str, str]:
    return {"role": role.name, "arn": role.arn}
