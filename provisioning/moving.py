"""When a tenant's sign-in has moved into another user pool, or has not: called where that becomes true, in the same transaction."""

from __future__ import annotations

from core.actors import Actor
from provisioning.models import Operation, OperationKind
from provisioning.resources.base import place_of
from provisioning.selectors import list_resources_at
from tenants.facts import IsolationModel
from tenants.members import moving
from tenants.models import Tenant, Tier


def follow(operation: Operation) -> None:
    """Have people follow what an operation has brought about: a change of tier into another pool, or a tenant that is served again."""
    if operation.tenant is None:
        return
    tenant = Tenant.objects.select_related("tier").get(pk=operation.tenant.pk)  # its state has just been changed by the operation
    if operation.kind == OperationKind.CHANGE_TIER:
        left = _left_pool(tenant, str(operation.target["from"]))
        if left:
            moving.note_moved(actor=Actor.parse(operation.actor), tenant=tenant, left_pool=left, reason=operation.reason)
    elif operation.kind in (OperationKind.RESUME, OperationKind.UNDO_OFFBOARD):
        moving.want_links(tenant)


def stay(tenant: Tenant, operation: Operation) -> None:
    """Have people stay where they are: a change of tier is given up, and the tenant has its former tier again."""
    tried = _left_pool(tenant, str(operation.target["to"]))
    if tried:
        moving.note_stayed(tenant=tenant, tried_pool=tried)


def _left_pool(tenant: Tenant, other_tier: str) -> str:
    """Give the id of the pool that goes with another tier, if it is another one than the tenant's present tier has, and is there."""
    tier = Tier.objects.filter(pk=other_tier).first()
    if tier is None or (place := _place_of(tier)) == _place_of(tenant.tier):
        return ""
    pool = list_resources_at(place, tenant).filter(kind="user_pool", name=place).first()
    return str(pool.attributes.get("pool_id", "")) if pool else ""


def _place_of(tier: Tier) -> str:
    return place_of(IsolationModel(tier.isolation_model))
