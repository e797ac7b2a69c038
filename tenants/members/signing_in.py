"""What happens to a member by signing in: joining, being seen, links that are followed, and failures that are written down."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from core.actors import Actor, ActorKind
from core.audit.services import record
from core.errors import ForbiddenError
from core.transitions import change_state
from tenants.inputs import clean_name
from tenants.members import links, selectors, vouched
from tenants.members.models import LinkPurpose, Member, MemberState
from tenants.members.services import NOTHING_SENT, end_sessions, want_mail
from tenants.members.telling import tell, unsettle
from tenants.members.vouched import Vouched

ASK_AGAIN_AFTER = timedelta(minutes=2)
NOBODY = Actor(ActorKind.MEMBER, "unknown")


class NotAdmittedError(ForbiddenError):
    """The person may not come in (any more)."""

    code = "not-admitted"
    title = "Not admitted"


class AnotherPersonError(NotAdmittedError):
    """The provider's name of the person is not the one that the member is known by; ``reason`` is a slug of ``tenants.members.vouched``."""

    code = "another-person"
    title = "Another person"

    def __init__(self, reason: str, member: Member) -> None:
        super().__init__(f"Not the person whom the provider vouched for before: {reason}.")
        self.reason, self.member = reason, member


def may_come_in(member: Member, *, vouched: bool = False) -> bool:
    """Say whether somebody who proved themselves may come in: with the password, or ``vouched`` for by the tenant's identity provider.

    Whoever was invited by link has to follow it first, or be vouched for while the invitation lasts.
    """
    if member.state != MemberState.INVITED:
        return member.state == MemberState.ACTIVE
    ends = member.invitation_expires_at
    return member.is_first or (vouched and ends is not None and ends > timezone.now())


def note_signed_in(*, member_id: str, how: str, address: str, by: Vouched | None = None) -> Member:
    """Let a member in whose factors were all right, and give the row as it is now; raises NotAdmittedError when that has changed meanwhile.

    The first administrator joins by it, and so does an invited person for whom a provider vouched (``by``): its name of them is kept the
    first time. Raises AnotherPersonError when it is not the one that was kept.
    """
    with transaction.atomic():
        member = Member.objects.select_for_update().filter(pk=member_id).first()
        if member is None or not may_come_in(member, vouched=by is not None):
            raise NotAdmittedError
        if by is not None and (why := vouched.keep(member, by, member_actor(member))):
            raise AnotherPersonError(why, member)
        now = timezone.now()
        if member.state == MemberState.INVITED:
            change_state(member, to=MemberState.ACTIVE, sources=[MemberState.INVITED], joined_at=now, **NOTHING_SENT)
            tell(member, "member.joined", member_actor(member))
        if member.password_left_at is not None and how.startswith("password"):
            # With a password that an operator or Cognito's own invitation gave: there is another one now, and no link need go out.
            change_state(member, to=MemberState.ACTIVE, sources=[MemberState.ACTIVE], password_left_at=None, **NOTHING_SENT)
        member.last_signed_in_at = member.last_seen_at = now
        member.save(update_fields=["last_signed_in_at", "last_seen_at"])
        record(
            action="member.signed_in",
            actor=member_actor(member),
            target=member.pk,
            tenant_id=member.tenant_id,
            details={"how": how, "address": address},
        )
    return member


def note_refused(*, tenant_id: str, member: Member | None, why: str, address: str) -> None:
    """Write down that somebody was not let in. An address that is nobody's is never kept: it may be a password."""
    with transaction.atomic():
        record(
            action="member.sign_in_refused",
            actor=member_actor(member) if member else NOBODY,
            target=member.pk if member else tenant_id,
            tenant_id=tenant_id,
            outcome="refused",
            details={"why": why, "address": address},
        )


def note_signed_out(*, member: Member) -> None:
    """Write down that somebody has left."""
    with transaction.atomic():
        record(action="member.signed_out", actor=member_actor(member), target=member.pk, tenant_id=member.tenant_id)


def note_seen(member: Member) -> None:
    """Write down that a member is still there; right to a minute."""
    Member.objects.filter(pk=member.pk).update(last_seen_at=timezone.now())


def ask_for_link(*, tenant_id: str, email: str, address: str) -> None:
    """Have a link sent to somebody who cannot come in: for a new password, or an invitation to whoever has not joined.

    The first administrator, whom nobody of the tenant could invite again, gets a new end with it; everybody else's invitation goes on as long
    as it would have, and one that is over stays so. Nothing tells the caller whether there is such a person: for nobody the database and the
    queue are asked to do the same, to a row that does not exist.
    """
    member = selectors.find_by_address(tenant_id, email)
    purpose = _link_for(member) if member is not None else LinkPurpose.NONE
    known = member if purpose else None
    with transaction.atomic():
        if known is None or _was_just_asked(known):
            want_mail(Member(), LinkPurpose.PASSWORD)
        else:
            want_mail(known, purpose, renews=known.is_first)
        record(
            action=f"member.{'invitation' if purpose == LinkPurpose.INVITATION else 'password'}_link_asked",
            actor=member_actor(known) if known else NOBODY,
            target=known.pk if known else tenant_id,
            tenant_id=tenant_id,
            outcome="succeeded" if known else "refused",
            details={"address": address},
        )


def follow_link(*, tenant_id: str, text: str, name: str = "") -> Member:
    """Use a link up, after its password was set: the invited join, everybody's sessions end. Raises LinkNotGoodError."""
    with transaction.atomic():
        member = links.get_by_link(tenant_id, text, lock=True)
        actor = member_actor(member)
        if member.link_purpose == LinkPurpose.INVITATION:
            given = clean_name(name, required=False) or member.name
            now = timezone.now()
            change_state(member, to=MemberState.ACTIVE, sources=[MemberState.INVITED], joined_at=now, name=given, **NOTHING_SENT)
            tell(member, "member.joined", actor)
        else:
            change_state(member, to=MemberState.ACTIVE, sources=[MemberState.ACTIVE], password_left_at=None, **NOTHING_SENT)
            tell(member, "member.password_changed", actor)
        end_sessions(member)
        unsettle(member)
    return member


def member_actor(member: Member) -> Actor:
    """Give a member as the one who acts. The label is a name, never an address."""
    return Actor(ActorKind.MEMBER, member.pk, member.name)


def _link_for(member: Member) -> LinkPurpose:
    if member.state == MemberState.ACTIVE:
        return LinkPurpose.PASSWORD
    ends = member.invitation_expires_at
    runs = ends is None or ends > timezone.now()
    return LinkPurpose.INVITATION if member.state == MemberState.INVITED and (runs or member.is_first) else LinkPurpose.NONE


def _was_just_asked(member: Member) -> bool:
    recently = timezone.now() - ASK_AGAIN_AFTER
    return bool(member.mail_wanted) or (member.mail_sent_at is not None and member.mail_sent_at > recently)
