"""How members are spoken of: their state in words and colour, and what may be done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from tenants.members.invitations import Invitation, Standing, invitation_of
from tenants.members.models import LIVING, Member, MemberState, Role
from tenants.members.moving import is_link_of_move
from tenants.members.roles import may_manage


@dataclass(frozen=True, slots=True)
class Line:
    """A member as a page shows them. ``tone`` is a badge's class."""

    member: Member
    state: str
    tone: str
    note: str
    last_seen: datetime | None
    has_device: bool
    is_me: bool
    invitation: Invitation


@dataclass(frozen=True, slots=True)
class Act:
    """Something that can be done about a member: ``sentence`` says what follows."""

    name: str
    label: str
    sentence: str
    is_grave: bool = False


ACTS = {
    "resend": Act(
        "resend", "Send the invitation again", "A new link goes out, good for seven days. The one before it is good no longer."
    ),
    "cancel": Act("cancel", "Cancel the invitation", "The link is good no longer. The person can be invited anew.", is_grave=True),
    "disable": Act(
        "disable", "Disable", "They are out at their next click, and cannot sign in until somebody enables them.", is_grave=True
    ),
    "enable": Act("enable", "Enable", "They can sign in again, with the password that they had."),
    "sign-out": Act("sign-out", "Sign out everywhere", "All their sessions end at the next click. They can sign in again."),
    "reset-device": Act(
        "reset-device", "Take the authenticator away", "For a lost phone: their sessions end, and they can set up another."
    ),
    "forget-provider": Act(
        "forget-provider",
        "Forget who the provider says they are",
        "Whoever comes in next with this address through your identity provider is taken for them. For somebody who got a new account there; make "
        "sure that it is theirs.",
        is_grave=True,
    ),
    "remove": Act(
        "remove",
        "Remove",
        "They are out at their next click and their access is deleted. What they did stays in the log.",
        is_grave=True,
    ),
}


def acts_on(member: Member, *, acting: Member) -> tuple[Act, ...]:
    """Give what ``acting`` can do about a member in their present state; about oneself that is next to nothing."""
    names = _names(member) if may_manage(acting.role, member.role) and member.pk != acting.pk else ()
    known = ("forget-provider",) if acting.role == Role.OWNER and member.state in LIVING and member.vouched_subject else ()
    return tuple(ACTS[name] for name in (*known, *names))


def _names(member: Member) -> tuple[str, ...]:
    names: tuple[str, ...] = ()
    if member.state == MemberState.INVITED:
        names = ("resend", "cancel")
    elif member.state == MemberState.ACTIVE:
        names = ("sign-out", "reset-device", "disable", "remove") if has_device(member) else ("sign-out", "disable", "remove")
    elif member.state == MemberState.DISABLED:
        names = ("enable", "remove")
    return names


def has_device(member: Member) -> bool:
    """Say whether a joined member has an authenticator."""
    return getattr(member, "device", None) is not None


def line_of(member: Member, *, me: Member) -> Line:
    """Give a member as a page shows them."""
    state, tone, note = _state(member)
    last_seen = member.last_seen_at or member.last_signed_in_at
    return Line(member, state, tone, note, last_seen, has_device(member), member.pk == me.pk, invitation_of(member))


def _invited(invitation: Invitation) -> tuple[str, str, str]:
    ends = f"{invitation.ends_at:%-d %B %Y}" if invitation.ends_at is not None else ""
    if invitation.standing is Standing.DELAYED:
        return "Invited", "bad", "The mail could not be sent yet; it is being tried again."
    if invitation.standing is Standing.EXPIRED:
        return "Invitation expired", "warn", f"It ended on {ends}: send it again."
    if invitation.standing is Standing.SENDING:
        return "Invited", "warn", "The mail is on its way."
    return "Invited", "warn", f"Good until {ends}." if ends else ""


def _state(member: Member) -> tuple[str, str, str]:
    invitation = invitation_of(member)
    if invitation.is_pending:
        return _invited(invitation)
    if member.state == MemberState.DISABLED:
        return "Disabled", "bad", member.state_reason
    if member.state not in LIVING:
        return "Removed", "", member.state_reason
    note = _note_of_move(member)
    return "Active", "warn" if note else "good", note


def _note_of_move(member: Member) -> str:
    """What is said of somebody whose password stayed behind in another user pool."""
    if member.password_left_at is None:
        return ""
    why = "because your organisation's sign-in moved"
    if member.mail_wanted and member.mail_failures:
        return f"The mail with a link for a new password, {why}, could not be sent yet; it is being tried again."
    if member.mail_wanted:
        return f"A link for a new password is on its way, {why}."
    if is_link_of_move(member):
        return f"Needs a new password, {why}."
    if member.link_expires_at is None or member.link_expires_at <= timezone.now():
        return f"Needs a new password, {why}. The link has ended: they ask for another where they sign in."
    return f"New password link sent, {why}."
