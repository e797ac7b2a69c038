"""The way through a tenant's identity provider, between leaving the portal and coming back: kept in the portal's session, good once.

What is kept is the digest of the state, the nonce, the code verifier (encrypted) and what it is all for. It ends after ten minutes. Whoever
comes back with another state leaves it untouched: any page of the web can lead to the callback. The right state uses it up, whatever follows.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from controlplane.portal import sessions
from core.aws.hosted import authorize_url, new_secret
from core.errors import DomainError
from provisioning.connections import way_of
from tenants.ciphers import SealBrokenError, seal, unseal
from tenants.members.models import Connection, Member
from tenants.models import Tenant

KEY = "portal.organisation"
LASTS_SECONDS = 600
SIGN_IN, TRY = "sign-in", "try"
_PURPOSE = "controlplane.portal.organisation"
_LONGEST = 200


class NotVouchedError(DomainError):
    """What came back from the identity provider lets nobody in; ``reason`` is a slug for the audit log, and nothing of what came.

    ``member`` is whom it concerns, where a colleague has to look at that member.
    """

    code = "not-vouched"
    title = "The answer of the identity provider was refused"
    status = 403

    def __init__(self, reason: str, member: Member | None = None) -> None:
        super().__init__(f"The answer of the identity provider was refused: {reason}.")
        self.reason, self.member = reason, member


@dataclass(frozen=True, slots=True)
class Journey:
    """What somebody left for. ``mark`` is the connection that they left through, ``member`` who tries it (empty at a sign-in)."""

    purpose: str
    mark: str
    nonce: str
    verifier: str
    next_url: str
    member: str


def leave(request: HttpRequest, tenant: Tenant, row: Connection, *, purpose: str, next_url: str, member: str = "") -> str:
    """Begin a journey, and give the address to send the browser to. An earlier one of this session ends. Raises ConflictError."""
    way = way_of(tenant, row)
    state, nonce, verifier = new_secret(), new_secret(), new_secret()
    request.session[KEY] = {
        "tenant": tenant.pk,
        "state": _digest(state),
        "nonce": nonce,
        "verifier": seal(verifier.encode(), purpose=_PURPOSE),
        "at": time.time(),
        "purpose": purpose,
        "mark": row.mark,
        "next": next_url,
        "member": member,
    }
    if not sessions.is_signed_in(request):
        request.session.set_expiry(LASTS_SECONDS)
    return authorize_url(way.hosted, provider=way.provider, state=state, nonce=nonce, verifier=verifier)


def come_back(request: HttpRequest, tenant: Tenant, state: str) -> Journey:
    """Give the journey that this state belongs to, and use it up. Raises NotVouchedError: none, another one's, or too late."""
    kept = request.session.get(KEY)
    if not isinstance(kept, dict) or kept.get("tenant") != tenant.pk:
        raise NotVouchedError("no-journey")
    if not 0 < len(state) <= _LONGEST or not constant_time_compare(kept["state"], _digest(state)):
        raise NotVouchedError("another-state")
    del request.session[KEY]
    if not 0 <= time.time() - float(kept["at"]) < LASTS_SECONDS:
        raise NotVouchedError("too-late")
    try:
        verifier = unseal(kept["verifier"], purpose=_PURPOSE).decode()
    except SealBrokenError:
        raise NotVouchedError("too-late") from None
    return Journey(kept["purpose"], kept["mark"], kept["nonce"], verifier, kept["next"], kept["member"])


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
