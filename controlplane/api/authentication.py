"""Who asks: the bearer token of a request, checked against the database."""

from __future__ import annotations

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from controlplane.api import services
from controlplane.api.errors import UnauthenticatedError
from controlplane.api.models import OperatorToken
from controlplane.api.problems import CHALLENGE
from core.actors import Actor, operator


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what DRF calls the user. Never anonymous."""

    token: OperatorToken
    is_authenticated: bool = True

    @property
    def pk(self) -> str:
        """The token's id, which logs and throttles may use."""
        return self.token.pk

    @property
    def scopes(self) -> frozenset[str]:
        """What it may do."""
        return frozenset(self.token.scopes)

    @property
    def actor(self) -> Actor:
        """Who acts, for services and the audit log."""
        return operator(self.token.pk, self.token.label)


class BearerTokens(BaseAuthentication):
    """``Authorization: Bearer cpo_...`` (RFC 6750). Raises UnauthenticatedError for whatever is not a valid token, and for its absence."""

    def authenticate(self, request: Request) -> tuple[Caller, OperatorToken]:
        """Give the caller and the token's row; note its use, at most once a minute."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        token = services.authenticate(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise UnauthenticatedError("Send Authorization: Bearer with an operator token.")
        services.note_use(token)
        return Caller(token), token

    def authenticate_header(self, request: Request) -> str:
        """Give the challenge, which makes DRF answer 401 rather than 403."""
        return CHALLENGE
