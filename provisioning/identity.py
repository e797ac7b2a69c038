"""Where a tenant's people sign in, and the first password of its administrator."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

from django.db import transaction

from core.actors import Actor
from core.audit.services import record
from core.errors import ConflictError
from provisioning.models import Resource, ResourceState
from provisioning.resources.base import place_of
from provisioning.selectors import list_resources_at
from tenants import clouds, inputs
from tenants.lifecycle import TenantState
from tenants.members import invitations
from tenants.models import Tenant
from tenants.naming import session_name, username
from tenants.selectors import facts_of, get_tenant

PASSWORD_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What a sign-in needs: the user pool, the tenant's app client in it, and the administrator's blind user name."""

    pool_id: str
    client_id: str
    username: str


def identity_of(tenant: Tenant) -> Identity:
    """Give where a tenant's people sign in, as the ledger has it; raises ConflictError while that is not there."""
    place = place_of(facts_of(tenant).tier.isolation_model)
    pool = list_resources_at(place, tenant).filter(kind="user_pool", name=place, state=ResourceState.PRESENT).first()
    client = Resource.objects.filter(tenant=tenant, kind="app_client", name=place, state=ResourceState.PRESENT).first()
    if pool is None or client is None:
        raise ConflictError("The tenant's sign-in is not provisioned.", code="not-provisioned")
    return Identity(pool.attributes["pool_id"], client.attributes["client_id"], username(tenant.pk, tenant.admin_email))


def set_first_password(*, actor: Actor, tenant_id: str, reason: str) -> str:
    """Give the administrator a new temporary password, to be shown once; it must be changed at the first sign-in and is stored nowhere.

    The act is audited before AWS is asked, so that none goes untold. An administrator who has not come yet has as long for it as for any
    invitation, from now on. Raises ConflictError unless the tenant is active.
    """
    reason = inputs.clean_reason(reason)
    tenant = get_tenant(tenant_id)
    if tenant.state != TenantState.ACTIVE:
        raise ConflictError(f"The tenant is {tenant.state}; a password can be set while it is active.", code="illegal-transition")
    identity = identity_of(tenant)
    with transaction.atomic():
        record(action="administrator.password_reset", actor=actor, target=tenant.pk, tenant_id=tenant.pk, reason=reason)
    password = _new_password()
    facts = facts_of(tenant)
    aws = clouds.connect_to(facts.cell, session_name=session_name(facts.id, actor))
    aws.cognito.put_user_password(identity.pool_id, identity.username, password, permanent=False)
    invitations.note_password_given(tenant_id=tenant.pk)
    return password


def _new_password() -> str:
    """Twenty characters, at least one of each class that a pool's policy may ask for: more than 110 bits."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#%+-=?@_")
    characters = [secrets.choice(each) for each in classes]
    characters += [secrets.choice("".join(classes)) for _ in range(PASSWORD_LENGTH - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)
