"""Which of a provider's people somebody is: kept at their first sign-in through it, and asked at each one after.

A member is found by an address, and an address is a claim that a provider may let people change, or give to somebody new. So the provider's
own, unchanging name of the person (``sub`` over OpenID Connect, the name id over SAML) is kept with the member when they first come in. From
then on somebody else with the same address is refused until an owner forgets it, and one who is known as a colleague does not come in as
another. Kept are two SHA-256 digests: what is compared is equality alone. https://openid.net/specs/openid-connect-core-1_0.html#ClaimStability

Another provider knows people by other names: with another issuer, client or metadata everybody is known anew at their next sign-in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from defusedxml.ElementTree import fromstring
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core.actors import Actor
from core.errors import ConflictError
from tenants.members.connections import require_owner
from tenants.members.models import LIVING, Connection, ConnectionKind, Member, MemberState
from tenants.members.services import locked
from tenants.members.telling import tell

ANOTHER_PERSON, KNOWN_AS_ANOTHER = "another-person", "known-as-another"
"""Why somebody is refused: another one has come in with this address before, or this one has come in as a colleague."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Digests of the provider that vouched for somebody, and of its own name of them: 64 hex digits each."""

    source: str
    subject: str


def vouched_by(row: Connection, subject: str) -> Vouched:
    """Give what is kept of somebody whom a provider calls ``subject``. Pure."""
    return Vouched(_digest(_name_of(row)), _digest(subject))


def why_not(member: Member, by: Vouched) -> str:
    """Say why this person may not come in as this member; empty when nothing speaks against it."""
    if is_known(member, by):
        return "" if constant_time_compare(member.vouched_subject, by.subject) else ANOTHER_PERSON
    others = Member.objects.filter(
        tenant_id=member.tenant_id, state__in=LIVING, vouched_source=by.source, vouched_subject=by.subject
    )
    return KNOWN_AS_ANOTHER if others.exclude(pk=member.pk).exists() else ""


def is_known(member: Member, by: Vouched) -> bool:
    """Say whether this provider's name of the member is kept already."""
    return bool(member.vouched_subject) and constant_time_compare(member.vouched_source, by.source)


def keep(member: Member, by: Vouched, actor: Actor) -> str:
    """Keep it at the first time; gives why not, as :func:`why_not`. Call it inside a transaction that holds the member's row."""
    if (why := why_not(member, by)) or is_known(member, by):
        return why
    now = timezone.now()
    try:
        with transaction.atomic():
            Member.objects.filter(pk=member.pk).update(vouched_source=by.source, vouched_subject=by.subject, vouched_since=now)
    except IntegrityError:
        return KNOWN_AS_ANOTHER  # come in as a colleague at this very moment
    member.vouched_source, member.vouched_subject, member.vouched_since = by.source, by.subject, now
    tell(member, "member.provider_known", actor)
    return ""


def know_oneself(*, actor: Actor, tenant_id: str, by: Vouched) -> None:
    """Keep it of somebody who is signed in and has just come through the provider with their own address: an owner who tries the connection."""
    with transaction.atomic():
        member = Member.objects.select_for_update().filter(pk=actor.id, tenant_id=tenant_id, state=MemberState.ACTIVE).first()
        if member is not None:
            keep(member, by, actor)


def forget(*, actor: Actor, tenant_id: str, member_id: str, revision: int | None = None, reason: str = "") -> Member:
    """Forget by which name the provider knows a member: whoever next comes in with the address is kept anew.

    Owners alone, for themselves too. Sessions go on. Raises ForbiddenError, NotFoundError, StaleMemberError, ConflictError when nothing is kept.
    """
    with transaction.atomic():
        require_owner(actor, tenant_id)
        member = locked(actor, tenant_id, member_id, revision)
        if not member.vouched_subject:
            raise ConflictError("Nothing is kept about this person: they have not come in through the provider.", code="not-known")
        member.revision += 1
        member.vouched_source, member.vouched_subject, member.vouched_since = "", "", None
        member.save(update_fields=["revision", "vouched_source", "vouched_subject", "vouched_since"])
        tell(member, "member.provider_forgotten", actor, reason)
    return member


def _name_of(row: Connection) -> str:
    """Give what names a provider among all: some give each client other names of the same person, so the client belongs to it."""
    if row.kind == ConnectionKind.OIDC:
        return "|".join((row.kind, row.details["oidc_issuer"], row.details["client_id"]))
    if "MetadataURL" in row.details:
        return f"{row.kind}|{row.details['MetadataURL']}"
    # Pasted anew with another certificate it is the same provider.
    return f"{row.kind}|{fromstring(row.details['MetadataFile'].encode()).get('entityID')}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
