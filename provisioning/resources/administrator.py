"""A tenant's first administrator: invited by Cognito's own e-mail, made to choose a password at the first sign-in.

The temporary password is Cognito's: it is in the invitation and nowhere else, neither in a spec nor in the ledger nor in a log. Where no
mail arrives (the embedded stand-in sends none), an operator has ``provisioning.identity`` set another and show it once.

The user name is blind and made of tenant and address; ``custom:tenantId`` cannot be changed and says whose the user is.
"""

from __future__ import annotations

from core.aws.cognito_users import User
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
    NotOursError,
    Observed,
    Removed,
    Spec,
    Wait,
    exists,
    is_enabled,
    place_of,
)
from provisioning.resources.user_pool import TENANT_ID, TENANT_TIER, USER_ROLE
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, username

KIND = "administrator"
DEPENDS_ON: tuple[str, ...] = ("user_pool", "user_group")
HOLDS_DATA = False

ROLE = "owner"
_OWNER = f"custom:{TENANT_ID}"


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One administrator, in the tenant's own pool or in the shared one."""
    if not exists(tenant):
        return ()
    pool = place_of(tenant.tier.isolation_model)
    attributes = {
        "email": tenant.admin_email,
        "email_verified": "true",
        _OWNER: tenant.id,
        f"custom:{TENANT_TIER}": tenant.tier.code,
        f"custom:{USER_ROLE}": ROLE,
    }
    if tenant.admin_name:
        attributes["name"] = tenant.admin_name
    spec = {
        "pool": pool,
        "username": username(tenant.id, tenant.admin_email),
        "attributes": attributes,
        "group": "" if pool == OWN else names_of(tenant).group,
        "enabled": is_enabled(tenant) and tenant.admin_enabled,
    }
    return (Desired(KIND, pool, spec),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no administrator."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Invite the administrator, or set right what differs; somebody who was administrator under another address is taken out."""
    pool_id, name = known.at(spec["pool"], "user_pool")["pool_id"], spec["username"]
    user = None if known.is_new else aws.cognito.find_user(pool_id, name)
    if user is None:
        try:
            user = aws.cognito.create_user(pool_id, name, attributes=spec["attributes"])
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
        if spec["group"]:
            aws.cognito.add_user_to_group(pool_id, name, spec["group"])
    else:
        _correct(aws, pool_id, _require_ours(user, spec), spec)
    if user.enabled != spec["enabled"]:
        _switch(aws, pool_id, spec)
    _remove_former(aws, pool_id, spec, known)
    return Ensured(_attributes(pool_id, user))


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the user's attributes, groups and whether it is enabled back."""
    pool_id = known.at(spec["pool"], "user_pool")["pool_id"]
    user = aws.cognito.find_user(pool_id, spec["username"])
    if user is None:
        return ABSENT
    groups = aws.cognito.list_user_groups(pool_id, user.username) if spec["group"] else ()
    different = (
        *differences.of_values(*_pairs(user, spec)),
        *differences.of_values(("enabled", user.enabled, spec["enabled"])),
        *((f"group {spec['group']} is missing",) if spec["group"] and spec["group"] not in groups else ()),
    )
    return Observed(True, different, _attributes(pool_id, user))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the user."""
    pool_id = known.at(spec["pool"], "user_pool")["pool_id"]
    user = aws.cognito.find_user(pool_id, spec["username"])
    if user is not None:
        _require_ours(user, spec)
        aws.cognito.delete_user(pool_id, user.username)
    return Removed()


def _correct(aws: Aws, pool_id: str, user: User, spec: Spec) -> None:
    wrong = {name: wanted for name, found, wanted in _pairs(user, spec) if found != wanted}
    if wrong:
        aws.cognito.put_user_attributes(pool_id, user.username, wrong)
    if spec["group"]:
        aws.cognito.add_user_to_group(pool_id, user.username, spec["group"])


def _switch(aws: Aws, pool_id: str, spec: Spec) -> None:
    if spec["enabled"]:
        aws.cognito.enable_user(pool_id, spec["username"])
        return
    aws.cognito.disable_user(pool_id, spec["username"])
    aws.cognito.sign_out_user(pool_id, spec["username"])


def _remove_former(aws: Aws, pool_id: str, spec: Spec, known: Known) -> None:
    former = known.this.get("username")
    if former and former != spec["username"] and known.this.get("pool_id") == pool_id:
        user = aws.cognito.find_user(pool_id, former)
        if user is not None and user.attributes.get(_OWNER) == spec["attributes"][_OWNER]:
            aws.cognito.delete_user(pool_id, former)


def _require_ours(user: User, spec: Spec) -> User:
    if user.attributes.get(_OWNER) != spec["attributes"][_OWNER]:
        raise NotOursError(f"The user {user.username} exists and does not belong to this tenant; it was left untouched.")
    return user


def _pairs(user: User, spec: Spec) -> tuple[tuple[str, str | None, str], ...]:
    return tuple((name, user.attributes.get(name), wanted) for name, wanted in sorted(spec["attributes"].items()))


def _attributes(pool_id: str, user: User) -> dict[str, str]:
    return {"pool_id": pool_id, "username": user.username, "sub": user.sub, "status": user.status}
