"""Where an invitation stands, the same on both sides, and the operators' hand on that of a first administrator.

The first administrator is invited by the onboarding: by Cognito's own mail, or by a temporary password that an operator hands over. Should they
never come, an operator has the product's own invitation mailed. A temporary password from before goes on until its own end; whichever is used
first ends the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils import timezone

from core.actors import Actor
from core.errors import NotFoundError
from tenants.inputs import clean_reason
from tenants.members import links, selectors, services
from tenants.members.models import LinkPurpose, Member, MemberState


class Standing(StrEnum):
    """How an invitation stands. Each comment says who acts next."""

    NONE = "none"  # nobody: they have joined, or it was cancelled
    SENDING = "sending"  # the worker
    DELAYED = "delayed"  # the worker, after a pause: the mail was not taken
    OPEN = "open"  # the invited person
    EXPIRED = "expired"  # whoever may send it again


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation as pages show it. ``sent_at`` is when the last one went out, None before that; ``ends_at`` when it ends or has ended."""

    standing: Standing
    sent_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def is_pending(self) -> bool:
        """True while somebody is invited who has not come, also when the time is over."""
        return self.standing is not Standing.NONE


def invitation_of(member: Member) -> Invitation:
    """Say how a member's invitation stands now."""
    if member.state != MemberState.INVITED:
        return Invitation(Standing.NONE)
    by_mail = member.mail_sent_at if member.mail_sent_at and member.mail_sent_at >= member.invited_at else None
    sent_at = by_mail or (member.invited_at if member.is_first and not member.mail_wanted else None)
    return Invitation(_standing(member), sent_at, member.invitation_expires_at)


def send_first_again(*, actor: Actor, tenant_id: str, reason: str) -> Member:
    """Mail a first administrator who never came a fresh invitation; the link before it is good no longer.

    Raises InvalidInputError without a reason, NotFoundError for a tenant that never had one, and ConflictError as ``services.invite_again``.
    """
    reason = clean_reason(reason)
    first = selectors.find_first(tenant_id)
    if first is None:
        raise NotFoundError("This tenant has no first administrator.")
    return services.invite_again(actor=actor, tenant_id=tenant_id, member_id=first.pk, reason=reason)


def note_password_given(*, tenant_id: str) -> None:
    """Begin the time of a first administrator's invitation anew: they have just been given a temporary password."""
    now = timezone.now()
    rows = Member.objects.filter(tenant_id=tenant_id, is_first=True, state=MemberState.INVITED)
    rows.update(invited_at=now, invitation_expires_at=now + links.LASTS[LinkPurpose.INVITATION])


def _standing(member: Member) -> Standing:
    if member.mail_wanted:
        return Standing.DELAYED if member.mail_failures else Standing.SENDING
    ends = member.invitation_expires_at
    return Standing.EXPIRED if ends is not None and ends <= timezone.now() else Standing.OPEN
