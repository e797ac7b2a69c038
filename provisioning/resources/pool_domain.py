"""The domain under which a user pool's hosted endpoints answer: one a pool, made where somebody may sign in through an identity provider.

A prefix is unique over all accounts of a region and bears no tags: that it is at our pool is what says that it is ours. AWS deletes no pool
that has one, so it stands on the pool and goes before it.
"""

from __future__ import annotations

from core.aws.cognito_providers import ACTIVE, PoolDomain
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    OWN,
    SHARED,
    Desired,
    Ensured,
    Known,
    NotOursError,
    Observed,
    Removed,
    Spec,
    Wait,
    exists,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, names_of_cell
from tenants.partitions import hosted_host

KIND = "pool_domain"
DEPENDS_ON: tuple[str, ...] = ("user_pool",)
HOLDS_DATA = False


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One for an own pool, while the tenant has an identity provider; a pooled tenant uses the cell's."""
    if not exists(tenant) or tenant.connection is None or not tenant.tier.isolation_model.has_own_pool:
        return ()
    return (Desired(KIND, OWN, {"pool": OWN, "prefix": names_of(tenant).pool_domain}),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One for the shared pool, where the partition has such domains."""
    prefix = names_of_cell(cell).pool_domain
    return (Desired(KIND, SHARED, {"pool": SHARED, "prefix": prefix}),) if hosted_host(cell, prefix) else ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the domain, and wait until it is active."""
    pool_id, prefix = _pool_id(spec, known), spec["prefix"]
    found = aws.cognito.find_pool_domain(prefix)
    if found is None:
        aws.cognito.create_pool_domain(pool_id, prefix)
        found = aws.cognito.find_pool_domain(prefix)
    if found is None or (found.pool_id == pool_id and found.status != ACTIVE):
        return Wait(5, f"the domain is {found.status.lower() if found else 'not shown yet'}")
    _require_ours(found, pool_id)
    return Ensured({"pool_id": pool_id, "prefix": prefix})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read back whose pool the domain is at, and whether it is active."""
    pool_id = _pool_id(spec, known)
    found = aws.cognito.find_pool_domain(spec["prefix"])
    if found is None:
        return ABSENT
    different = differences.of_values(("pool", found.pool_id, pool_id), ("status", found.status, ACTIVE))
    return Observed(True, different, {"pool_id": pool_id, "prefix": spec["prefix"]})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Take the domain away; whoever is on the way through it begins again."""
    pool_id = _pool_id(spec, known)
    found = aws.cognito.find_pool_domain(spec["prefix"])
    if found is not None:
        _require_ours(found, pool_id)
        aws.cognito.delete_pool_domain(pool_id, spec["prefix"])
    return Removed()


def _pool_id(spec: Spec, known: Known) -> str:
    return str(known.at(spec["pool"], "user_pool")["pool_id"])


def _require_ours(found: PoolDomain, pool_id: str) -> None:
    if found.pool_id != pool_id:
        raise NotOursError(f"The domain {found.prefix} is at the pool {found.pool_id}; it was left untouched.")
