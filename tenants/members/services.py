"""Acts on members: invite, change the role, disable, enable, remove, sign out. Signing in has a module of its own.

Each takes the tenant that the caller may act for, so that another tenant's member is not found rather than refused, and ``revision``: what
the caller saw, or None. What a member may do to another hangs on the acting member's row as it is now, not on the session's.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from core.actors import Actor, ActorKind
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.transitions import change_state
from tenants.inputs import clean_email, clean_name, collect
from tenants.lifecycle import SERVED
from tenants.members import links, selectors
from tenants.members.models import LIVING, LinkPurpose, Member, MemberState, Role
from tenants.members.moving import want_links
from tenants.members.roles import may_manage
from tenants.members.telling import MAIL_TASK, ring, tell, unsettle
from tenants.models import Tenant
from tenants.naming import username
from tenants.selectors import get_tenant

NOTHING_SENT: dict[str, Any] = {
    "link_digest": "",
    "link_purpose": LinkPurpose.NONE,
    "link_expires_at": None,
    "link_claimed_until": None,
    "mail_wanted": LinkPurpose.NONE,
}
"""What ends every link of a member, also one that has not been sent yet."""
RESEND_AFTER_SECONDS = 60
_NO_INVITATION = {
    MemberState.ACTIVE: "This person has joined already: there is no invitation to send again. A forgotten password has a link of its own.",
    MemberState.DISABLED: "This person has joined already, and is disabled: there is no invitation to send again.",
    MemberState.REMOVED: "This person was removed, or the invitation cancelled: there is no invitation to send again.",
}


class LastOwnerError(ConflictError):
    """Without this owner nobody could look after the tenant."""

    code = "last-owner"
    title = "This is the last owner"


class StaleMemberError(ConflictError):
    """Somebody else has changed the member since it was read."""

    code = "stale-revision"
    title = "The member was changed meanwhile"


def write_first(*, actor: Actor, tenant: Tenant) -> Member:
    """Write the row of a tenant's first administrator, whom the onboarding makes and invites. Call it in the onboarding's transaction."""
    return _write(actor, tenant, tenant.admin_email, tenant.admin_name, Role.OWNER, is_first=True)


def invite(*, actor: Actor, tenant_id: str, email: str, role: str, name: str = "", reason: str = "") -> Member:
    """Invite somebody by mail; they belong to the tenant when they have followed the link and chosen a password.

    Raises InvalidInputError for what was typed, and for somebody who is a member already; ForbiddenError for a role that the actor may not
    give; ConflictError while the tenant is not active.
    """
    if role not in Role.values:
        raise InvalidInputError.at("/role", "Choose a role.")
    clean = collect(
        {
            "email": lambda: clean_email(email, pointer="/email"),
            "name": lambda: clean_name(name, pointer="/name", required=False),
        }
    )
    tenant = get_tenant(tenant_id)
    _require_served(tenant)
    with transaction.atomic():
        _require_authority(actor, tenant_id, role, "give this role")
        if selectors.find_by_address(tenant_id, clean["email"]) is not None:
            raise InvalidInputError.at("/email", "This person is a member already, or has been invited.")
        member = _write(actor, tenant, clean["email"], clean["name"], Role(role), is_first=False)
        want_mail(member, LinkPurpose.INVITATION)
        tell(member, "member.invited", actor, reason)
        unsettle(member)
    return member


def invite_again(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None, reason: str = "") -> Member:
    """Send an invitation again, with a new link and a new end; the link before it is good no longer.

    Raises ConflictError for somebody who has joined or was removed, while the tenant is not active, and right after another invitation.
    """
    with transaction.atomic():
        member = locked(actor, tenant_id, member_id, revision)
        if member.state != MemberState.INVITED:
            raise ConflictError(_NO_INVITATION[MemberState(member.state)], code="illegal-transition")
        _require_served(member.tenant)
        just_sent = member.mail_sent_at and (timezone.now() - member.mail_sent_at).total_seconds() < RESEND_AFTER_SECONDS
        if just_sent or member.mail_wanted:
            raise ConflictError("An invitation has just been sent. Wait a minute.", code="too-soon")
        Member.objects.filter(pk=member.pk).update(**NOTHING_SENT)
        want_mail(member, LinkPurpose.INVITATION)
        _raise_revision(member)
        tell(member, "member.invited_again", actor, reason)
    return member


def change_role(
    *, actor: Actor, tenant_id: str, member_id: str, role: str, revision: int | None = None, reason: str = ""
) -> Member:
    """Give a member another role, from their next request on. Nobody changes their own; the last owner stays one."""
    if role not in Role.values:
        raise InvalidInputError.at("/role", "Choose a role.")
    with transaction.atomic():
        member = locked(actor, tenant_id, member_id, revision, not_oneself="change your own role")
        _require_authority(actor, tenant_id, role, "give this role")
        if member.state not in LIVING:
            raise ConflictError("This member was removed.", code="illegal-transition")
        if member.role == role:
            return member
        before = member.role
        _require_another_owner(member)
        member.role = role
        Member.objects.filter(pk=member.pk).update(role=role)
        _raise_revision(member)
        tell(member, "member.role_changed", actor, reason, before=before)
        unsettle(member)
    return member


def disable(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None, reason: str = "") -> Member:
    """Keep a member out until they are enabled again; their sessions end at their next request. Repeating it changes nothing."""
    return _switch(
        actor, tenant_id, member_id, revision, reason, to=MemberState.DISABLED, source=MemberState.ACTIVE, what="member.disabled"
    )


def enable(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None, reason: str = "") -> Member:
    """Let a disabled member come in again; no session of before comes back. Repeating it changes nothing."""
    return _switch(
        actor, tenant_id, member_id, revision, reason, to=MemberState.ACTIVE, source=MemberState.DISABLED, what="member.enabled"
    )


def remove(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None, reason: str = "") -> Member:
    """End a membership, or cancel an invitation; sessions and links end with it. Repeating it changes nothing."""
    with transaction.atomic():
        member = locked(actor, tenant_id, member_id, revision, not_oneself="remove yourself")
        if member.state == MemberState.REMOVED:
            return member
        _require_another_owner(member)
        what = "member.invitation_cancelled" if member.state == MemberState.INVITED else "member.removed"
        now = timezone.now()
        change_state(member, to=MemberState.REMOVED, sources=LIVING, state_reason=reason[:500], ended_at=now, **NOTHING_SENT)
        end_sessions(member)
        _raise_revision(member)
        tell(member, what, actor, reason)
        unsettle(member)
        _tell_engine(member)
    return member


def remove_all(*, actor: Actor, tenant_id: str, reason: str) -> int:
    """Remove everybody of a tenant that is being removed itself, in a fixed number of statements; gives how many. The pool follows by the clock."""
    now = timezone.now()
    living = Member.objects.filter(tenant_id=tenant_id, state__in=LIVING)
    return living.update(
        state=MemberState.REMOVED,
        ended_at=now,
        state_reason=reason[:500],
        epoch=F("epoch") + 1,
        directory_state="unsettled",
        directory_generation=F("directory_generation") + 1,
        directory_due_at=now,
        **NOTHING_SENT,
    )


def sign_out_everywhere(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None) -> Member:
    """End all sessions of a member: one's own, or those of somebody whom the actor looks after."""
    with transaction.atomic():
        member = locked(actor, tenant_id, member_id, revision)
        end_sessions(member)
        tell(member, "member.signed_out_everywhere", actor)
        unsettle(member)
    return member


def end_sessions(member: Member) -> None:
    """Begin a new epoch. Call it inside a transaction that holds the member's row."""
    Member.objects.filter(pk=member.pk).update(epoch=F("epoch") + 1)
    member.epoch += 1


def _write(actor: Actor, tenant: Tenant, email: str, name: str, role: Role, *, is_first: bool) -> Member:
    now = timezone.now()
    lasts = links.LASTS[LinkPurpose.INVITATION]
    member = Member(
        tenant=tenant,
        email=email,
        address=email.casefold(),
        name=name,
        username=username(tenant.pk, email),
        role=role,
        is_first=is_first,
        invited_by=str(actor),
        invited_at=now,
        invitation_expires_at=now + lasts,
        directory_due_at=now,
        directory_state="settled" if is_first else "unsettled",
    )
    try:
        with transaction.atomic():
            member.save(force_insert=True)
    except IntegrityError:
        raise InvalidInputError.at("/email", "This person is a member already, or has been invited.") from None
    if not is_first:
        _tell_engine(member)
    return member


def _tell_engine(member: Member) -> None:
    """Let the first administrator's user, which the engine makes and repairs, follow the row: a repair must not let somebody in again."""
    tenant = member.tenant
    if member.username == username(tenant.pk, tenant.admin_email):
        enabled = member.state in (MemberState.INVITED, MemberState.ACTIVE)
        Tenant.objects.filter(pk=tenant.pk).exclude(admin_enabled=enabled).update(admin_enabled=enabled)


def want_mail(member: Member, purpose: LinkPurpose, *, renews: bool = True) -> None:
    """Have a link made and mailed by the worker, which alone ever knows its text. Call it inside the transaction of the act.

    An invitation gets a new end by it, unless ``renews`` is False: then its new link ends with the one before.
    """
    now = timezone.now()
    changes: dict[str, object] = {"mail_wanted": purpose, "mail_due_at": now, "mail_failures": 0, "mail_error": ""}
    if purpose == LinkPurpose.INVITATION and renews:
        changes |= {"invited_at": now, "invitation_expires_at": now + links.LASTS[purpose]}
    Member.objects.filter(pk=member.pk).update(**changes)
    for name, value in changes.items():
        setattr(member, name, value)
    ring(MAIL_TASK)


def _switch(
    actor: Actor,
    tenant_id: str,
    member_id: str,
    revision: int | None,
    reason: str,
    *,
    to: MemberState,
    source: MemberState,
    what: str,
) -> Member:
    with transaction.atomic():
        member = locked(actor, tenant_id, member_id, revision, not_oneself="do this to yourself")
        if member.state == to:
            return member
        if to == MemberState.DISABLED:
            _require_another_owner(member)
        change_state(member, to=to, sources=[source], state_reason=reason[:500])
        end_sessions(member)
        _raise_revision(member)
        tell(member, what, actor, reason)
        unsettle(member)
        _tell_engine(member)
        if to == MemberState.ACTIVE:
            want_links(member.tenant)
    return member


def locked(actor: Actor, tenant_id: str, member_id: str, revision: int | None, *, not_oneself: str = "") -> Member:
    """Give a member whom the actor may look after, its row locked, and before it those of all owners, so that two never remove each other."""
    list(Member.objects.select_for_update().filter(tenant_id=tenant_id, role=Role.OWNER, state__in=LIVING).order_by("pk"))
    rows = Member.objects.select_for_update(of=("self",)).select_related("tenant__tier", "tenant__cell")
    member = rows.filter(pk=member_id, tenant_id=tenant_id).first()
    if member is None:
        raise NotFoundError("There is no such member.")
    is_oneself = actor.kind == ActorKind.MEMBER and actor.id == member.pk
    if is_oneself and not_oneself:
        raise ForbiddenError(f"You cannot {not_oneself}: ask a colleague.")
    if not is_oneself:
        _require_authority(actor, tenant_id, member.role, "look after this member")
    if revision is not None and member.revision != revision:
        raise StaleMemberError("The member was changed by somebody else meanwhile.")
    return member


def _require_authority(actor: Actor, tenant_id: str, role: str, what: str) -> None:
    """Raise ForbiddenError unless the actor may look after people in this role. Operators and the product itself may."""
    if actor.kind in (ActorKind.OPERATOR, ActorKind.SYSTEM):
        return
    acting = None
    if actor.kind == ActorKind.MEMBER:
        acting = Member.objects.filter(pk=actor.id, tenant_id=tenant_id, state=MemberState.ACTIVE).first()
    if acting is None or not may_manage(acting.role, role):
        raise ForbiddenError(f"You may not {what}.")


def _require_served(tenant: Tenant) -> None:
    if tenant.state not in SERVED:
        raise ConflictError(f"This tenant is {tenant.state}; people are invited while it is active.", code="tenant-not-active")


def _require_another_owner(member: Member) -> None:
    """Raise LastOwnerError when nobody else could come in as an owner. Call it with all owners' rows held."""
    if member.role != Role.OWNER:
        return
    owners = Member.objects.filter(tenant_id=member.tenant_id, role=Role.OWNER, state=MemberState.ACTIVE)
    if not owners.exclude(pk=member.pk).exists():
        raise LastOwnerError("This is the tenant's last owner. Make somebody else an owner first.")


def _raise_revision(member: Member) -> None:
    Member.objects.filter(pk=member.pk).update(revision=F("revision") + 1)
    member.revision += 1
