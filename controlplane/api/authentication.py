"""Who asks: the bearer of a request, checked against the database. An operator's token, or a tenant's own key that manages keys."""

from __future__ import annotations

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from controlplane.api import services, tokens
from controlplane.api.addresses import client_address
from controlplane.api.errors import UnauthenticatedError
from controlplane.api.problems import CHALLENGE
from core.actors import Actor, ActorKind, operator
from tenants.keys import evidence, scopes, verification
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.permits import Holder, strength_of
from tenants.keys.tokens import parse_token

ADVICE = "Send Authorization: Bearer with an operator token, or with a key that manages keys."
"""What everybody without valid credentials is told, whatever they came with and wherever."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what DRF calls the user. Never anonymous.

    ``pk`` is the id of the token or key, which logs and records may use. ``account`` is whose limit at this door the request is charged to: the
    token's own, or that of all keys of one tenant together. ``own_names`` are the names of the one tenant that a key may
    speak of, and ``within`` is the bound of what it may make or touch; an operator's token has neither.
    """

    pk: str
    scopes: frozenset[str]
    actor: Actor
    account: str
    own_names: frozenset[str] = frozenset()
    within: Holder | None = None
    is_authenticated: bool = True

    @property
    def is_key(self) -> bool:
        """Whether a tenant's own key asks, rather than an operator."""
        return self.within is not None

    def may_speak_of(self, tenant: str) -> bool:
        """Say whether the tenant of this id or slug is one that the caller may address at all."""
        return not self.is_key or tenant in self.own_names or tenant.lower() in self.own_names


class BearerTokens(BaseAuthentication):
    """``Authorization: Bearer`` (RFC 6750) with ``cpo_...`` or a tenant's key. Raises UnauthenticatedError for everything else."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        """Give the caller, and note the use: of a token at most once a minute, of a key each time."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        caller = _caller_of(text.strip(), client_address(request)) if scheme.lower() == "bearer" else None
        if caller is None:
            raise UnauthenticatedError(ADVICE)
        return caller, None

    def authenticate_header(self, request: Request) -> str:
        """Give the challenge, which makes DRF answer 401 rather than 403."""
        return CHALLENGE


def _caller_of(text: str, address: str) -> Caller | None:
    token = parse_token(text)
    if token is None:  # a typo, or nothing of ours: costs no query
        return None
    return _operator(text) if token.brand == tokens.BRAND else _key(text, address)


def _operator(text: str) -> Caller | None:
    row = services.authenticate(text)
    if row is None:
        return None
    services.note_use(row)
    return Caller(row.pk, frozenset(row.scopes), operator(row.pk, row.label), row.pk)


def _key(text: str, address: str) -> Caller | None:
    verdict = verification.verify(text, address=address)
    key, version = verdict.key, verdict.version
    if not verdict.is_valid or key is None or version is None:
        return None
    # Only what manages keys counts here: whatever else the SaaS calls its scopes, none of them is one of ours for operators.
    held = scopes.MANAGEMENT & frozenset(key.scopes)
    if not held:
        return None
    evidence.note_use(version, address=address)
    names = frozenset({key.tenant_id, key.tenant.slug})
    return Caller(key.pk, held, Actor(ActorKind.KEY, key.pk, key.name), key.tenant_id, names, _holder(key, version))


def _holder(key: ApiKey, version: KeyVersion) -> Holder:
    """The bound of what this key may do: nothing that it makes outlives the version that was presented, nor its overlap."""
    ends_at = min(version.expires_at, version.retires_at or version.expires_at)
    return Holder(key.pk, strength_of(key), ends_at)
