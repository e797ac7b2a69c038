"""Reads: members of a tenant, who may come in, and what their tenant has decided."""

from __future__ import annotations

from django.db.models import QuerySet

from core.errors import NotFoundError
from core.ids import MEMBER, is_id
from tenants.members.models import LIVING, Device, Member, MemberPolicy, MemberState


def list_members(*, tenant_id: str, state: str = "", search: str = "") -> QuerySet[Member]:
    """Give the people of a tenant, oldest first; those who were removed only when ``state`` asks for them."""
    rows = Member.objects.filter(tenant_id=tenant_id).select_related("device").order_by("pk")
    rows = rows.filter(state=state) if state else rows.filter(state__in=LIVING)
    if search:
        rows = rows.filter(address__contains=search.casefold()) | rows.filter(name__icontains=search)
    return rows


def get_member(tenant_id: str, member_id: str) -> Member:
    """Give one of a tenant's people; raises NotFoundError, for another tenant's as well."""
    rows = Member.objects.select_related("tenant__tier", "tenant__cell", "device")
    member = rows.filter(pk=member_id, tenant_id=tenant_id).first() if is_id(member_id, MEMBER) else None
    if member is None:
        raise NotFoundError("There is no such member.")
    return member


def find_first(tenant_id: str) -> Member | None:
    """Give the administrator whom the onboarding has made, in whatever state; None for a tenant that never had one."""
    return Member.objects.filter(tenant_id=tenant_id, is_first=True).first()


def find_of_session(member_id: str, epoch: int) -> Member | None:
    """Give the member of a session, if they may still come in and the session began in their present epoch."""
    return Member.objects.filter(pk=member_id, state=MemberState.ACTIVE, epoch=epoch).first()


def find_by_address(tenant_id: str, email: str) -> Member | None:
    """Give the living member with this address, however it is spelt in upper and lower case."""
    address = email.strip().casefold()
    return Member.objects.filter(tenant_id=tenant_id, address=address, state__in=LIVING).select_related("device").first()


def get_policy(tenant_id: str) -> MemberPolicy:
    """Give what a tenant has decided about its people; the defaults, as a row that is not saved, when it never has."""
    return MemberPolicy.objects.filter(tenant_id=tenant_id).first() or MemberPolicy(tenant_id=tenant_id)


def has_device(member: Member) -> bool:
    """Say whether a member has an authenticator."""
    return Device.objects.filter(member=member).exists()
