"""What follows for people when their tenant's sign-in moves into another user pool: their users are made anew there, their passwords stay behind.

Cognito gives no password away, so everybody who had one is sent a link with which to choose another. ``password_left_at`` says since when
somebody is without, until they have chosen one; it also says whether the link of this move has been sent, so that nobody is sent two.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from core.actors import Actor
from core.audit.services import record
from core.outbox.services import publish
from tenants.lifecycle import SERVED
from tenants.members.links import LASTS
from tenants.members.models import LIVING, DirectoryState, LinkPurpose, Member, MemberState
from tenants.members.telling import MAIL_TASK, SETTLE_TASK, ring
from tenants.models import Tenant


def note_moved(*, actor: Actor, tenant: Tenant, left_pool: str, reason: str = "") -> int:
    """Have everybody's user made in the pool that the tenant has come to and removed from ``left_pool``, and send those with a password a link.

    Gives how many have lost theirs. A fixed number of statements, in the transaction that ends the move; the clock does the rest, a
    slice at a time.
    """
    now = timezone.now()
    _follow(tenant, left_pool, now)
    joined = Member.objects.filter(tenant=tenant, state__in=(MemberState.ACTIVE, MemberState.DISABLED))
    lost = joined.update(password_left_at=now)
    want_links(tenant)
    details = {"members": lost}
    record(action="member.sign_in_moved", actor=actor, target=tenant.pk, tenant_id=tenant.pk, reason=reason, details=details)
    publish(type="member.sign_in_moved", subject=tenant.pk, tenant_id=tenant.pk, data={"tenant": tenant.pk, **details})
    return lost


def note_stayed(*, tenant: Tenant, tried_pool: str) -> None:
    """Have what was made of people in ``tried_pool`` removed: a move into it was given up, and nobody has lost a password."""
    _follow(tenant, tried_pool, timezone.now())


def want_links(tenant: Tenant) -> int:
    """Have a link mailed to everybody whose password stayed behind and who was not sent one since; gives how many. Repeatable.

    While the tenant is not served nobody could follow one: whatever makes it active asks again, and so does enabling somebody.
    """
    if tenant.state not in SERVED:
        return 0
    unsent = Q(mail_sent_at__isnull=True) | Q(mail_sent_at__lt=F("password_left_at"))
    waiting = Member.objects.filter(unsent, tenant=tenant, state=MemberState.ACTIVE, password_left_at__isnull=False, mail_wanted="")
    wanted = waiting.update(mail_wanted=LinkPurpose.PASSWORD, mail_due_at=timezone.now(), mail_failures=0, mail_error="")
    if wanted:
        ring(MAIL_TASK)
    return wanted


def is_link_of_move(member: Member) -> bool:
    """Say whether the link that is being sent is the move's, which nobody asked for."""
    return member.password_left_at is not None and (member.mail_sent_at is None or member.mail_sent_at < member.password_left_at)


def lasts(member: Member, purpose: LinkPurpose) -> timedelta:
    """How long the link that is being sent is good: one that nobody asked for and nobody waits for, as long as an invitation."""
    return LASTS[LinkPurpose.INVITATION if is_link_of_move(member) else purpose]


def _follow(tenant: Tenant, former_pool: str, now: datetime) -> None:
    """Removed people too, as far as their user was still to be deleted: it may be in either pool."""
    unsettled = Q(state__in=LIVING) | Q(directory_state=DirectoryState.UNSETTLED)
    Member.objects.filter(unsettled, tenant=tenant).update(
        former_pool=former_pool,
        directory_state=DirectoryState.UNSETTLED,
        directory_generation=F("directory_generation") + 1,
        directory_due_at=now,
        directory_failures=0,
        directory_error="",
    )
    ring(SETTLE_TASK)
