"""A Cognito user pool: the tenant's own, or one that the pooled tenants of a cell share.

Pool names are not unique on AWS and CreateUserPool takes no client token, so a pool is looked for by name and tags before one is made,
unless nothing can be unaccounted for. People sign in by a blind user name (``tenants.naming.username``) and not by an address: one
person may administer two tenants of one pool. A pool holds people, who cannot be made again with their passwords, so it counts as data.
"""

from __future__ import annotations

from dataclasses import asdict

from core.aws.cognito import CustomAttribute, UserPool, UserPoolSettings
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
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
    owner_tags,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import TAG_TENANT, names_of, names_of_cell, tenant_tags

KIND = "user_pool"
DEPENDS_ON: tuple[str, ...] = ()
HOLDS_DATA = True

TENANT_ID, TENANT_TIER, USER_ROLE = "tenantId", "tenantTier", "userRole"
CUSTOM_ATTRIBUTES = (
    CustomAttribute(TENANT_ID, mutable=False),
    CustomAttribute(TENANT_TIER, mutable=True),
    CustomAttribute(USER_ROLE, mutable=True),
)
SETTINGS = UserPoolSettings(deletion_protection=True, password_min_length=12, temporary_password_days=7, invite_only=True)
MFA = "OPTIONAL"


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A pool of its own for every tenant outside the pool model."""
    if not exists(tenant) or not tenant.tier.isolation_model.has_own_pool:
        return ()
    return (Desired(KIND, OWN, _spec(names_of(tenant).user_pool, tenant_tags(tenant))),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One pool for all pooled tenants."""
    return (Desired(KIND, SHARED, _spec(names_of_cell(cell).user_pool, cell_tags(cell))),)


def _spec(name: str, tags: dict[str, str]) -> Spec:
    return {
        "pool_name": name,
        "tags": tags,
        "settings": asdict(SETTINGS),
        "custom_attributes": [asdict(attribute) for attribute in CUSTOM_ATTRIBUTES],
        "mfa": MFA,
    }


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the pool with its second factor, or set right what differs."""
    pool = _find(aws, spec, known)
    if pool is None:
        pool = aws.cognito.create_user_pool(
            spec["pool_name"],
            tags=spec["tags"],
            custom_attributes=_attributes_wanted(spec),
            settings=UserPoolSettings(**spec["settings"]),
            sign_in_by_email=False,
        )
        aws.cognito.put_user_pool_mfa(pool.id, spec["mfa"])
        return Ensured(_attributes(pool))
    require_ours(pool.tags, spec, f"The user pool {pool.id}")
    if _differences(pool, spec):
        _correct(aws, pool, spec)
    return Ensured(_attributes(pool))


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the pool's settings, attributes, second factor and tags back."""
    pool = _find(aws, spec, known)
    return ABSENT if pool is None else Observed(True, _differences(pool, spec), _attributes(pool))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Take the deletion protection off and delete the pool with everybody in it."""
    pool = _find(aws, spec, known)
    if pool is not None:
        require_ours(pool.tags, spec, f"The user pool {pool.id}")
        if pool.settings.deletion_protection:
            aws.cognito.put_user_pool_settings(pool.id, UserPoolSettings(**{**spec["settings"], "deletion_protection": False}))
        aws.cognito.delete_user_pool(pool.id)
    return Removed()


def _find(aws: Aws, spec: Spec, known: Known) -> UserPool | None:
    """By the recorded id; else by name and tags, which reads a list of all pools of the region."""
    recorded = known.this.get("pool_id")
    pool = aws.cognito.find_user_pool_by_id(recorded) if recorded else None
    of_tenant = TAG_TENANT in spec["tags"]  # its id makes the name new; a cell's code may have been used by another database
    if pool is not None or (known.fresh and of_tenant):
        return pool
    return aws.cognito.find_user_pool(spec["pool_name"], tags=owner_tags(spec))


def _correct(aws: Aws, pool: UserPool, spec: Spec) -> None:
    missing = tuple(item for item in _attributes_wanted(spec) if item.name not in pool.custom_attributes)
    if missing:
        aws.cognito.add_custom_attributes(pool.id, missing)
    aws.cognito.put_user_pool_settings(pool.id, UserPoolSettings(**spec["settings"]))
    aws.cognito.put_user_pool_mfa(pool.id, spec["mfa"])
    aws.cognito.put_user_pool_tags(pool.arn, spec["tags"])


def _differences(pool: UserPool, spec: Spec) -> tuple[str, ...]:
    wanted, found = spec["settings"], asdict(pool.settings)
    names = (attribute.name for attribute in _attributes_wanted(spec))
    return (
        *differences.of_values(*((name.replace("_", " "), found[name], wanted[name]) for name in sorted(wanted))),
        *(f"attribute custom:{name} is missing" for name in names if name not in pool.custom_attributes),
        *differences.of_values(("second factor", pool.mfa, spec["mfa"])),
        *differences.of_tags(pool.tags, spec["tags"]),
    )


def _attributes_wanted(spec: Spec) -> tuple[CustomAttribute, ...]:
    return tuple(CustomAttribute(**attribute) for attribute in spec["custom_attributes"])


def _attributes(pool: UserPool) -> dict[str, str]:
    return {"pool_id": pool.id, "arn": pool.arn}
