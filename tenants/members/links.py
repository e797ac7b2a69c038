"""The links that are mailed: an invitation, or the right to set a password anew. Known to the receiver alone; what is kept is a digest.

256 bits from the system's CSPRNG need no pepper: nobody guesses them, and from the SHA-256 nobody gets back. A link works once and for a
bounded time, for one member of one tenant; every other one is answered alike, whatever is wrong with it, but for an invitation whose time is
over: its receiver hears that, and whom to ask.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from core.errors import ConflictError, DomainError
from tenants.members.models import LinkPurpose, Member, MemberState

LASTS = {LinkPurpose.INVITATION: timedelta(days=7), LinkPurpose.PASSWORD: timedelta(hours=1)}
_GOOD_FOR = {
    LinkPurpose.INVITATION: (MemberState.INVITED,),
    LinkPurpose.PASSWORD: (MemberState.ACTIVE,),
}
_LONGEST = 200
_CLAIM_LASTS = timedelta(minutes=2)


class LinkNotGoodError(DomainError):
    """The link was used, has ended, was replaced by a newer one, or never was: the error does not say which."""

    code = "link-not-good"
    title = "This link is not good any more"
    status = 410


class LinkBusyError(ConflictError):
    """Somebody is following the same link at this moment."""

    code = "link-busy"
    title = "The link is being used"


def new_text() -> str:
    """The text of a fresh link."""
    return secrets.token_urlsafe(32)


def digest_of(text: str) -> str:
    """What is kept of it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def find_expired_invitation(tenant_id: str, text: str) -> Member | None:
    """Give whose invitation this link was, if nothing but its time is over: who holds the text may hear that. None for every other link."""
    rows = Member.objects.filter(tenant_id=tenant_id, link_purpose=LinkPurpose.INVITATION, state=MemberState.INVITED)
    return _whose(rows.filter(link_expires_at__lte=timezone.now()), text)


def get_by_link(tenant_id: str, text: str, *, lock: bool = False) -> Member:
    """Give the member whom a link was sent to, while it is good; raises LinkNotGoodError, for another tenant's as well."""
    rows = Member.objects.select_related("tenant__tier", "tenant__cell")
    if lock:
        rows = rows.select_for_update(of=("self",))
    member = _whose(rows.filter(tenant_id=tenant_id), text)
    if member is None or member.link_expires_at is None or member.link_expires_at <= timezone.now():
        raise LinkNotGoodError
    if member.state not in _GOOD_FOR.get(LinkPurpose(member.link_purpose), ()):
        raise LinkNotGoodError
    return member


def _whose(rows: QuerySet[Member], text: str) -> Member | None:
    return rows.filter(link_digest=digest_of(text)).first() if 0 < len(text) <= _LONGEST else None


def claim(member: Member) -> None:
    """Keep everybody else who holds the same link out while its password is set, which is no row's: for two minutes at most.

    Raises LinkBusyError. :func:`release` gives the link back when it was not used up.
    """
    now = timezone.now()
    free = Q(link_claimed_until__isnull=True) | Q(link_claimed_until__lte=now)
    same = Member.objects.filter(free, pk=member.pk, link_digest=member.link_digest)
    if not same.update(link_claimed_until=now + _CLAIM_LASTS):
        raise LinkBusyError("Somebody is using this link at this moment. Try again in two minutes.")


def release(member: Member) -> None:
    """Let the link be followed again."""
    Member.objects.filter(pk=member.pk, link_digest=member.link_digest).update(link_claimed_until=None)
