"""Sending the links that are wanted: made by the worker right before, so that no row, queue or request ever held one.

A mail may go out twice when its worker dies in between; the second one's link is the good one then. What cannot be sent stays wanted, is
tried again after growing pauses, and says so on the member.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from core.actors import system
from tenants.members import links, moving
from tenants.members.models import LinkPurpose, Member
from tenants.members.telling import tell

logger = logging.getLogger(__name__)

CLOCK = system("members")
MOST = 100
CLAIM_LASTS = timedelta(minutes=2)
LONGEST_PAUSE_SECONDS = 1_800
SUBJECTS = {
    LinkPurpose.INVITATION: "You are invited to {tenant}",
    LinkPurpose.PASSWORD: "Choose a new password for {tenant}",
}


def send_due() -> int:
    """Send what is due; gives how many mails went out."""
    due = Member.objects.exclude(mail_wanted="").filter(mail_due_at__lte=timezone.now()).order_by("mail_due_at")
    return sum(send(member_id) for member_id in list(due.values_list("pk", flat=True)[:MOST]))


def send(member_id: str) -> bool:
    """Make a member's link and mail it; False when there is nothing to send any more, or the mail was not taken."""
    text = links.new_text()
    member = _prepare(member_id, text)
    if member is None:
        return False
    try:
        _message(member, text).send()
    except Exception as error:  # noqa: BLE001  # whatever a mail backend raises: the row says that the mail is still wanted
        _postpone(member, type(error).__name__)
        logger.warning("a mail was not taken", extra={"member": member.pk, "error": type(error).__name__})
        return False
    with transaction.atomic():
        mine = Member.objects.filter(pk=member.pk, link_digest=links.digest_of(text), mail_wanted=member.mail_wanted)
        if mine.update(mail_wanted=LinkPurpose.NONE, mail_sent_at=timezone.now(), mail_failures=0, mail_error=""):
            tell(member, "member.link_sent", CLOCK, purpose=member.link_purpose)
    return True


def link_of(member: Member, text: str) -> str:
    """The address in the mail. The text is in its query, which is never logged."""
    return f"{_portal_of(member)}welcome/?{urlencode({'link': text})}"


def _portal_of(member: Member) -> str:
    return f"{settings.PORTAL_URL}/portal/{member.tenant.slug}/"


def _prepare(member_id: str, text: str) -> Member | None:
    now = timezone.now()
    with transaction.atomic():
        rows = Member.objects.select_for_update(of=("self",)).select_related("tenant")
        member = rows.filter(pk=member_id, mail_due_at__lte=now).exclude(mail_wanted="").first()
        if member is None:
            return None
        purpose = LinkPurpose(member.mail_wanted)
        member.link_purpose, member.link_digest = purpose, links.digest_of(text)
        member.link_expires_at, member.link_claimed_until = _end(member, purpose, now), None
        member.mail_due_at = now + CLAIM_LASTS
        member.save(update_fields=["link_purpose", "link_digest", "link_expires_at", "link_claimed_until", "mail_due_at"])
    return member


def _end(member: Member, purpose: LinkPurpose, now: datetime) -> datetime:
    """An invitation ends when both sides were told that it does, however long its mail took."""
    if purpose == LinkPurpose.INVITATION and member.invitation_expires_at is not None:
        return member.invitation_expires_at
    return now + moving.lasts(member, purpose)


def _postpone(member: Member, error: str) -> None:
    failures = member.mail_failures + 1
    pause = min(LONGEST_PAUSE_SECONDS, 15 * 2 ** min(failures - 1, 10))
    due = timezone.now() + timedelta(seconds=pause)
    Member.objects.filter(pk=member.pk).update(mail_failures=failures, mail_error=error[:100], mail_due_at=due)


def _message(member: Member, text: str) -> EmailMessage:
    purpose = LinkPurpose(member.link_purpose)
    context = {
        "member": member,
        "tenant": member.tenant,
        "link": link_of(member, text),
        "ends_at": member.link_expires_at,
        "ask_at": f"{_portal_of(member)}sign-in/forgotten/",
    }
    body = render_to_string(f"portal/mail_{'moved' if moving.is_link_of_move(member) else purpose.value}.txt", context)
    subject = SUBJECTS[purpose].format(tenant=member.tenant.name)
    return EmailMessage(subject, body, to=[member.email])
