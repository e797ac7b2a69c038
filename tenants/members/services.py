"""Acts on members."""

from __future__ import annotations

from django.utils import timezone

from tenants.members.models import Member


def note_seen(member: Member) -> None:
    """Write down that a member is still there; right to a minute."""
    Member.objects.filter(pk=member.pk).update(last_seen_at=timezone.now())
