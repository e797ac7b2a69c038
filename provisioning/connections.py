"""A tenant's own identity provider in its user pool: put there and taken out by operations, and where its people are sent to sign in.

An owner's act writes the row and starts the operation in one transaction; what the pool, its domain and the app client then look like is the
engine's. Whether a connection can be used is read from the ledger, so it is not said before everything was read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db import transaction

from core.actors import Actor
from core.aws.hosted import Hosted
from core.errors import ConflictError, NotFoundError
from provisioning import operations
from provisioning.identity import identity_of
from provisioning.models import ACTIVE_STATES, Operation, OperationKind, OperationState, Resource, ResourceState
from provisioning.resources.base import OWN, SHARED, place_of
from provisioning.selectors import list_resources_at
from tenants import naming
from tenants.inputs import clean_reason
from tenants.lifecycle import SERVED
from tenants.members import connections
from tenants.members.connection_inputs import Typed
from tenants.members.models import Connection
from tenants.models import Tenant
from tenants.partitions import hosted_host
from tenants.selectors import callback_url_of, facts_of, lock_tenant


class Readiness(StrEnum):
    """How a connection stands in the user pool. Each comment says who acts next."""

    MAKING = "making"  # the engine
    READY = "ready"  # an owner, who tries it
    REFUSED = "refused"  # an owner, who mends what was typed
    STUCK = "stuck"  # an operator, with the failed operation


@dataclass(frozen=True, slots=True)
class Addresses:
    """What an identity provider has to be told of the tenant's user pool."""

    acs_url: str
    entity_id: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Way:
    """Where a tenant's people are sent: the pool's hosted endpoints, its id, and the one provider that may answer."""

    hosted: Hosted
    pool_id: str
    provider: str


@transaction.atomic
def start_connect(*, actor: Actor, tenant_id: str, mark: str, typed: Typed) -> Operation:
    """Keep what an owner typed, and put it into the user pool. What was on is off until the new connection was tried and switched on.

    Raises what ``tenants.members.connections.keep`` does, ConflictError while the tenant is not active or its cell is not prepared for it,
    and BusyError while another operation is under way.
    """
    tenant = _locked(tenant_id)
    connections.keep(actor=actor, tenant=tenant, mark=mark, typed=typed)
    _require_domain(tenant)
    return _start(tenant, actor, "an owner saved the identity provider")


@transaction.atomic
def start_disconnect(*, actor: Actor, tenant_id: str, mark: str, reason: str) -> Operation:
    """Forget a connection with its secret, and take it out of the user pool; passwords let in again at once. Raises NotFoundError, BusyError."""
    connections.require_owner(actor, tenant_id)
    tenant = _locked(tenant_id)
    connections.require_same(connections.find(tenant_id), mark)
    if not connections.forget(actor=actor, tenant=tenant, reason=clean_reason(reason)):
        raise NotFoundError("There is no connection.")
    return _start(tenant, actor, reason)


def is_possible(tenant: Tenant) -> bool:
    """Say whether user pools of the tenant's partition have the hosted endpoints that this takes."""
    facts = facts_of(tenant)
    return bool(hosted_host(facts.cell, "x"))


def readiness_of(tenant: Tenant, row: Connection) -> Readiness:
    """Say how a connection stands in the pool, by what the ledger has read back for its present mark."""
    if row.refused:
        return Readiness.REFUSED
    if _is_in_pool(tenant, row):
        return Readiness.READY
    latest = Operation.objects.filter(tenant=tenant).order_by("-pk").values_list("state", flat=True).first()
    return Readiness.STUCK if latest == OperationState.FAILED else Readiness.MAKING


def addresses_of(tenant: Tenant) -> Addresses | None:
    """Give what to tell the identity provider, known before there is a connection; None while the user pool is not there."""
    try:
        pool_id = identity_of(tenant).pool_id
    except ConflictError:
        return None
    base = f"https://{hosted_host(facts_of(tenant).cell, _prefix(tenant))}"
    return Addresses(f"{base}/saml2/idpresponse", f"urn:amazon:cognito:sp:{pool_id}", f"{base}/oauth2/idpresponse")


def way_of(tenant: Tenant, row: Connection) -> Way:
    """Give where the tenant's people are sent. Raises ConflictError while the user pool is not there or the connection is not in it.

    With a stand-in the endpoints are where that is; the provider still answers at the address that AWS would have.
    """
    if row.refused:
        raise ConflictError("The user pool does not have this connection.", code="not-provisioned")
    identity, facts = identity_of(tenant), facts_of(tenant)
    base = (settings.AWS_ENDPOINT_URL or f"https://{hosted_host(facts.cell, _prefix(tenant))}").rstrip("/")
    return Way(
        Hosted(base, identity.client_id, callback_url_of(tenant)), identity.pool_id, naming.identity_provider(facts, row.kind)
    )


def _is_in_pool(tenant: Tenant, row: Connection) -> bool:
    facts = facts_of(tenant)
    place = place_of(facts.tier.isolation_model)
    if Operation.objects.filter(tenant=tenant, kind=OperationKind.CONNECT, state__in=ACTIVE_STATES).exists():
        return False
    present = {(one.kind, one.name): one for one in Resource.objects.filter(tenant=tenant, state=ResourceState.PRESENT)}
    provider, client = present.get(("identity_provider", f"{place}-{row.kind}")), present.get(("app_client", place))
    if provider is None or client is None or provider.spec.get("mark") != row.mark:
        return False
    named = client.spec["settings"].get("providers", [])
    return provider.spec["provider_name"] in named and _has_domain(tenant, place)


def _has_domain(tenant: Tenant, place: str) -> bool:
    return list_resources_at(place, tenant).filter(kind="pool_domain", name=place, state=ResourceState.PRESENT).exists()


def _require_domain(tenant: Tenant) -> None:
    """A pooled tenant uses the cell's domain, which an operation of its own cannot make."""
    if not is_possible(tenant):
        raise ConflictError("There is no hosted sign-in in this part of AWS.", code="not-in-partition")
    if place_of(facts_of(tenant).tier.isolation_model) == SHARED and not _has_domain(tenant, SHARED):
        raise ConflictError("This is not prepared where your organisation lives yet: ask the operators.", code="cell-not-prepared")


def _prefix(tenant: Tenant) -> str:
    facts = facts_of(tenant)
    own = place_of(facts.tier.isolation_model) == OWN
    return naming.names_of(facts).pool_domain if own else naming.names_of_cell(facts.cell).pool_domain


def _start(tenant: Tenant, actor: Actor, reason: str) -> Operation:
    return operations.start(kind=OperationKind.CONNECT, actor=actor, reason=reason, tenant=tenant, goal=tenant.state)


def _locked(tenant_id: str) -> Tenant:
    tenant = lock_tenant(tenant_id)
    if tenant.state not in SERVED:
        raise ConflictError(
            f"This tenant is {tenant.state}; its identity provider is changed while it is active.", code="tenant-not-active"
        )
    return tenant
