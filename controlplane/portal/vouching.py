"""Whom a tenant's identity provider vouches for: the code exchanged, the tokens verified, and that this provider and no other has answered.

A member is found by the address that the provider gives, among this tenant's people alone; nobody is made by coming through. Which provider
signed somebody in is checked here besides Cognito's own list at the app client, because a shared pool has many tenants' providers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.crypto import constant_time_compare

from controlplane.portal.organisation import Journey, NotVouchedError
from core.aws.hosted import CodeRefusedError, exchange
from core.aws.tokens import TokenUse, verify
from provisioning.connections import Way, way_of
from provisioning.people import issuer_of
from tenants.members import selectors, signing_in
from tenants.members.connection_details import is_in
from tenants.members.models import Connection, Member
from tenants.models import Tenant

FRESH_SECONDS = 120
_MOST_CODE = 2_048
_KNOWN_ERRORS = frozenset(
    "access_denied invalid_request invalid_scope login_required server_error temporarily_unavailable unauthorized_client "
    "unsupported_response_type interaction_required consent_required".split()
)


def address_vouched_for(tenant: Tenant, row: Connection, journey: Journey, answer: Mapping[str, Any]) -> str:
    """Give the address that the provider says somebody has, from the query of the callback.

    Raises NotVouchedError and TokenRefusedError with a slug, HostedAwayError and TokenKeysError when nothing can be said, ConflictError.
    """
    if answer.get("error"):
        error = str(answer["error"])
        raise NotVouchedError(f"provider-{error.replace('_', '-')}" if error in _KNOWN_ERRORS else "provider-error")
    if row.mark != journey.mark:
        raise NotVouchedError("connection-changed")
    code = str(answer.get("code", ""))
    if not 0 < len(code) <= _MOST_CODE:
        raise NotVouchedError("no-code")
    way = way_of(tenant, row)
    try:
        tokens = exchange(way.hosted, code=code, verifier=journey.verifier)
    except CodeRefusedError as error:
        raise NotVouchedError(error.code) from None
    issuer = issuer_of(tenant, pool_id=way.pool_id, client_id=way.hosted.client_id)
    claims = verify(tokens.id_token, use=TokenUse.ID, issuer=issuer, fresh_seconds=FRESH_SECONDS)
    access = verify(tokens.access_token, use=TokenUse.ACCESS, issuer=issuer, fresh_seconds=FRESH_SECONDS)
    check_claims(claims, access, journey, way)
    email = claims.get("email")
    if not isinstance(email, str) or not email.strip() or len(email) > 320:
        raise NotVouchedError("no-address")
    return email.strip()


def check_claims(claims: Mapping[str, Any], access: Mapping[str, Any], journey: Journey, way: Way) -> None:
    """Refuse verified tokens that are about two people, of another journey, or not through this one provider. Raises NotVouchedError."""
    if claims["sub"] != access["sub"]:
        raise NotVouchedError("two-people")
    if not constant_time_compare(str(claims.get("nonce", "")), journey.nonce):
        raise NotVouchedError("another-nonce")
    names = [identity.get("providerName") for identity in _identities(claims) if isinstance(identity, Mapping)]
    if names != [way.provider]:
        raise NotVouchedError("another-provider")


def member_vouched_for(tenant: Tenant, row: Connection, email: str) -> Member:
    """Give the tenant's member of this address, if they may come in. Raises NotVouchedError."""
    if not is_in(email, row.domains):
        raise NotVouchedError("domain-not-listed")
    member = selectors.find_by_address(tenant.pk, email)
    if member is None:
        raise NotVouchedError("nobody-here")
    if not signing_in.may_come_in(member, vouched=True):
        raise NotVouchedError("not-admitted")
    return member


def _identities(claims: Mapping[str, Any]) -> list[Any]:
    """Give the claim that says through which providers a profile was made: a list, which some versions hold as JSON text."""
    found = claims.get("identities")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return []
    return found if isinstance(found, list) else []
