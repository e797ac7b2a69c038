"""The time between the first proof at signing in and the last, kept in the portal's session. Nobody is signed in during that time.

It ends after ten minutes, and with anything that begins a new epoch for the member. What Cognito gives to answer a challenge with is kept
encrypted, and so is the secret of an authenticator that is being enrolled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.http import HttpRequest

from tenants.ciphers import SealBrokenError, seal, unseal
from tenants.members import connections
from tenants.members.models import Member
from tenants.members.signing_in import may_come_in
from tenants.members.vouched import Vouched
from tenants.models import Tenant

KEY = "portal.pending"
SECRET_KEY = "portal.enrolling"  # noqa: S105  # where it is kept
PENDING_SECONDS = 600
_PURPOSE = "controlplane.portal.pending"
PASSWORD, ORGANISATION = "password", "organisation"
"""The ways of the first proof, as the log names them."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody who has passed the first proof, by ``way``: the password, or the tenant's identity provider, and then ``by`` says as whom.

    ``challenge`` is Cognito's session while a new password is wanted, and empty afterwards.
    """

    member: Member
    next_url: str
    challenge: str
    way: str
    by: Vouched | None


def begin(
    request: HttpRequest, member: Member, next_url: str, *, way: str = PASSWORD, by: Vouched | None = None, challenge: str = ""
) -> None:
    """Remember it in a fresh session."""
    request.session.flush()
    request.session[KEY] = {
        "member": member.pk,
        "tenant": member.tenant_id,
        "epoch": member.epoch,
        "at": time.time(),
        "next": next_url,
        "way": way,
        "by": [by.source, by.subject] if by else None,
        "challenge": seal(challenge.encode(), purpose=_PURPOSE) if challenge else "",
    }
    request.session.set_expiry(PENDING_SECONDS)


def current(request: HttpRequest, tenant: Tenant) -> Pending | None:
    """Give who is between the pages of this tenant's sign-in; None when nobody is, or for too long."""
    kept = request.session.get(KEY)
    if not isinstance(kept, dict) or kept.get("tenant") != tenant.pk or not 0 <= time.time() - float(kept["at"]) < PENDING_SECONDS:
        return None
    member = Member.objects.select_related("device").filter(pk=kept["member"], tenant=tenant, epoch=kept["epoch"]).first()
    way = str(kept.get("way", PASSWORD))
    if member is None or not may_come_in(member, vouched=way == ORGANISATION):
        return None
    by = Vouched(*kept["by"]) if kept.get("by") else None
    if way == ORGANISATION and (by is None or connections.find_on(tenant) is None):
        return None  # switched off meanwhile, or begun under a release that did not ask
    try:
        challenge = unseal(kept["challenge"], purpose=_PURPOSE).decode() if kept["challenge"] else ""
    except SealBrokenError:
        return None
    return Pending(member, kept["next"], challenge, way, by)


def end(request: HttpRequest) -> None:
    """Forget the time between, and nothing else."""
    for name in (KEY, SECRET_KEY):
        request.session.pop(name, None)
