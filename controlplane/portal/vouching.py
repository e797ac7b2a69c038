"""Whom a tenant's identity provider vouches for: the code exchanged, the tokens verified, and that this provider and no other has answered.

A member is found by the address that the provider gives, among this tenant's people alone; nobody is made by coming through. An address can
change hands at a provider, so its own name of the person is compared as well, once it is known (``tenants.members.vouched``). Which provider
signed somebody in is checked here besides Cognito's own list at the app client, because a shared pool has many tenants' providers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import constant_time_compare

from controlplane.portal.organisation import Journey, NotVouchedError
from core.aws.hosted import CodeRefusedError, exchange
from core.aws.tokens import TokenUse, verify
from provisioning.connections import Way, way_of
from provisioning.people import issuer_of
from tenants.members import selectors, signing_in, vouched
from tenants.members.connection_details import is_in, is_same_address
from tenants.members.models import Connection, Member
from tenants.members.vouched import Vouched
from tenants.models import Tenant

FRESH_SECONDS = 120
_MOST_CODE = 2_048
_KNOWN_ERRORS = frozenset(
    "access_denied invalid_request invalid_scope login_required server_error temporarily_unavailable unauthorized_client "
    "unsupported_response_type interaction_required consent_required".split()
)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a provider has signed in: the address that it says they have, and its own name of them, as digests."""

    email: str
    by: Vouched


def person_vouched_for(tenant: Tenant, row: Connection, journey: Journey, answer: Mapping[str, Any]) -> Person:
    """Give whom the provider says somebody is, from the query of the callback.

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
    subject = check_claims(claims, access, journey, way)
    email = claims.get("email")
    if not isinstance(email, str) or not email.strip() or len(email) > 320:
        raise NotVouchedError("no-address")
    return Person(email.strip(), vouched.vouched_by(row, subject))


def check_claims(claims: Mapping[str, Any], access: Mapping[str, Any], journey: Journey, way: Way) -> str:
    """Give the provider's own name of the person that verified tokens are about.

    Raises NotVouchedError for tokens about two people, of another journey, not through this one provider, or without such a name.
    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html (``identities``)
    """
    if claims["sub"] != access["sub"]:
        raise NotVouchedError("two-people")
    if not constant_time_compare(str(claims.get("nonce", "")), journey.nonce):
        raise NotVouchedError("another-nonce")
    identities = [identity for identity in _identities(claims) if isinstance(identity, Mapping)]
    if [identity.get("providerName") for identity in identities] != [way.provider]:
        raise NotVouchedError("another-provider")
    subject = identities[0].get("userId")
    if not isinstance(subject, str) or not subject:
        raise NotVouchedError("no-subject")
    return subject


def member_vouched_for(tenant: Tenant, row: Connection, person: Person) -> Member:
    """Give the tenant's member whom a provider's person is, if they may come in. Raises NotVouchedError."""
    if not is_in(person.email, row.domains):
        raise NotVouchedError("domain-not-listed")
    member = selectors.find_by_address(tenant.pk, person.email)
    if member is None or not is_same_address(member.email, person.email):
        raise NotVouchedError("nobody-here")
    if not signing_in.may_come_in(member, vouched=True):
        raise NotVouchedError("not-admitted")
    if why := vouched.why_not(member, person.by):
        raise NotVouchedError(why, member)
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
