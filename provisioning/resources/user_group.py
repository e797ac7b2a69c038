"""A pooled tenant's group in the shared user pool: its name is the tenant's id, which is also what says whose it is (groups bear no tags)."""

from __future__ import annotations

from core.aws.errors import AwsAlreadyExistsError
from core.aws.session import Aws
from provisioning.resources.base import (
    ABSENT,
    NOT_SHOWN_YET,
    SHARED,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    exists,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of

KIND = "user_group"
DEPENDS_ON: tuple[str, ...] = ("user_pool",)
HOLDS_DATA = False


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One group for a pooled tenant."""
    if not exists(tenant) or tenant.tier.isolation_model.has_own_pool:
        return ()
    return (
        Desired(
            KIND, SHARED, {"group_name": names_of(tenant).group, "description": "People of one tenant; kept by the control plane."}
        ),
    )


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no group."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the group. There is nothing about it that could differ: its description is for people."""
    pool_id, name = known.at(SHARED, "user_pool")["pool_id"], spec["group_name"]
    group = None if known.is_new else aws.cognito.find_group(pool_id, name)
    if group is None:
        try:
            aws.cognito.create_group(pool_id, name, description=spec["description"])
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
    return Ensured({"pool_id": pool_id, "group_name": name})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the group back."""
    pool_id = known.at(SHARED, "user_pool")["pool_id"]
    group = aws.cognito.find_group(pool_id, spec["group_name"])
    if group is None:
        return ABSENT
    return Observed(True, (), {"pool_id": pool_id, "group_name": group.name})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the group; its people stay in the pool until they are removed themselves."""
    aws.cognito.delete_group(known.at(SHARED, "user_pool")["pool_id"], spec["group_name"])
    return Removed()
