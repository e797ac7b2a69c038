"""The access of a pooled tenant: nothing is made, it is proven. Credentials are vended as for a customer and tried on the doors.

The own prefix must open; a neighbour's and the ancestor of all must not. What a pooled tenant has of its own is the
session policy, so the proof is the read-back. A suspended tenant is vended nothing, so there is nothing to try.
"""

from __future__ import annotations

from typing import Any

from core.actors import system
from core.aws.errors import AwsAccessDeniedError
from core.aws.session import Aws
from provisioning.isolation import policies
from provisioning.isolation.documents import as_text
from provisioning.isolation.vending import SHORTEST_SECONDS
from provisioning.resources.base import Desired, Ensured, Known, Observed, Removed, Spec, Wait, exists, is_enabled
from tenants.facts import CellFacts, IsolationModel, TenantFacts
from tenants.naming import TAG_TENANT, names_of, names_of_cell, session_name

KIND = "pooled_access"
DEPENDS_ON: tuple[str, ...] = ("access_role", "storage_prefix")
HOLDS_DATA = False

NAME = "shared"


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """The proof of one pooled tenant's access."""
    if not exists(tenant) or tenant.tier.isolation_model is not IsolationModel.POOL:
        return ()
    names = names_of(tenant)
    spec = {
        "tenant_id": tenant.id,
        "session_name": session_name(tenant.id, system("provisioning")),
        "session_policy": policies.pool_session_policy(tenant),
        "bucket": names.storage_bucket,
        "prefix": names.storage_prefix,
        "closed": list(_closed(tenant)),
        "enabled": is_enabled(tenant),
    }
    return (Desired(KIND, NAME, spec),)


def _closed(tenant: TenantFacts) -> tuple[str, ...]:
    """A neighbour one character away, and what is above all tenants."""
    last = "0" if tenant.id[-1] != "0" else "1"
    return (f"{names_of(tenant).storage_prefix[:-2]}{last}/", names_of_cell(tenant.cell).storage_root)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no access of its own."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Nothing to make: the shared role must be there, and ``observe`` does the proving."""
    return Ensured({"role_arn": known.cell("access_role", "shared")["arn"]})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Vend, list the own prefix, and be refused everywhere else."""
    role_arn = known.cell("access_role", "shared")["arn"]
    attributes = {"role_arn": role_arn}
    if not spec["enabled"]:
        return Observed(True, (), attributes)
    try:
        tenant = _vended(aws, spec, role_arn)
    except AwsAccessDeniedError:
        return Observed(True, ("no credentials are given out for the shared role",), attributes)
    different: list[str] = []
    if not _opens(tenant, spec["bucket"], spec["prefix"]):
        different.append("its own prefix cannot be listed")
    different += [f"it can list {prefix}" for prefix in spec["closed"] if _opens(tenant, spec["bucket"], prefix)]
    return Observed(True, tuple(different), attributes)


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Nothing was made. Vending stops with the tenant's state; sessions end within minutes."""
    return Removed(nothing_to_read=True)


def _vended(aws: Aws, spec: Spec, role_arn: Any) -> Aws:
    given = aws.sts.assume_role(
        role_arn,
        session_name=spec["session_name"],
        seconds=SHORTEST_SECONDS,
        session_policy=as_text(spec["session_policy"]),
        tags={TAG_TENANT: spec["tenant_id"]},
    )
    return aws.with_credentials(given.access_key, given.secret_key, given.token)


def _opens(tenant: Aws, bucket: str, prefix: str) -> bool:
    try:
        tenant.s3.list_objects(bucket, prefix=prefix, limit=1)
    except AwsAccessDeniedError:
        return False
    return True
