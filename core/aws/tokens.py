"""Verifying the tokens that a Cognito user pool has issued. Nothing in a token is believed before all of this has passed.

What is checked, after https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
and RFC 8725: the algorithm is RS256 and nothing else (so neither ``none`` nor an HMAC under the public key); the key is one of the pool's own,
by its ``kid``; the issuer is the pool; the token was made for this app client (``aud`` of an id token, ``client_id`` of an access token); it is
of the kind that was asked for (``token_use``); it has not expired; and the person proved themselves just now (``auth_time``).

Issuer and address of the keys are two arguments, because a stand-in serves the keys of a pool from where it is, under AWS's own issuer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt
from jwt import PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKSetError

from core.errors import DomainError

ALGORITHM = "RS256"
LEEWAY_SECONDS = 5
KEYS_KEPT_SECONDS = 3_600
KEYS_TIMEOUT_SECONDS = 5
REQUIRED = ("exp", "iat", "iss", "sub", "token_use", "auth_time")


class TokenUse(StrEnum):
    """The two kinds of Cognito's signed tokens."""

    ID = "id"
    ACCESS = "access"


class TokenRefusedError(DomainError):
    """The token is not what it has to be; ``reason`` is a slug for the audit log, and no part of the token."""

    code = "token-refused"
    title = "The token was refused"
    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(f"The token was refused: {reason}.")
        self.reason = reason


class TokenKeysError(DomainError):
    """The pool's keys could not be read: nothing can be said about the token."""

    code = "token-keys-unavailable"
    title = "The user pool's keys cannot be read"
    status = 503
    retryable = True


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who has to have issued a token, and for whom: the issuer's name, the address of its keys, and the app client."""

    name: str
    keys_url: str
    client_id: str


def verify(token: str, *, use: TokenUse, issuer: Issuer, fresh_seconds: int) -> Mapping[str, Any]:
    """Give the claims of a token that is in order; raises TokenRefusedError, or TokenKeysError when the keys cannot be read.

    ``fresh_seconds`` bounds the time since the person proved themselves.
    """
    key = _key_of(token, issuer.keys_url)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=issuer.name,
            audience=issuer.client_id if use is TokenUse.ID else None,
            leeway=LEEWAY_SECONDS,
            options={"require": [*REQUIRED, *(["aud"] if use is TokenUse.ID else ["client_id"])], "verify_aud": use is TokenUse.ID},
        )
    except jwt.PyJWTError as error:
        raise TokenRefusedError(_slug_of(error)) from None
    if claims["token_use"] != use.value:
        raise TokenRefusedError("wrong-use")
    if use is TokenUse.ACCESS and claims["client_id"] != issuer.client_id:
        raise TokenRefusedError("wrong-client")
    if not isinstance(claims["auth_time"], int) or not -LEEWAY_SECONDS <= time.time() - claims["auth_time"] <= fresh_seconds:
        raise TokenRefusedError("not-fresh")
    return claims


def _key_of(token: str, keys_url: str) -> Any:
    """Give the pool's public key that the token names. The header is read for that alone: which algorithm is used is ours to say."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise TokenRefusedError("malformed") from None
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise TokenRefusedError("no-key-id")
    try:
        found = _client(keys_url).get_signing_key(kid)
    except (PyJWKClientConnectionError, PyJWKSetError) as error:
        raise TokenKeysError("The user pool's keys could not be read.") from error
    except PyJWKClientError:
        raise TokenRefusedError("unknown-key") from None
    return found.key


_clients: dict[str, PyJWKClient] = {}
_lock = threading.Lock()


def _client(keys_url: str) -> PyJWKClient:
    """One client, and so one cache, for each pool's keys; a key id that is not in it has the keys read anew, twice a minute at most."""
    with _lock:
        if keys_url not in _clients:
            _clients[keys_url] = PyJWKClient(keys_url, lifespan=KEYS_KEPT_SECONDS, timeout=KEYS_TIMEOUT_SECONDS)
        return _clients[keys_url]


def _slug_of(error: jwt.PyJWTError) -> str:
    for kind, slug in (
        (jwt.ExpiredSignatureError, "expired"),
        (jwt.InvalidIssuerError, "wrong-issuer"),
        (jwt.InvalidAudienceError, "wrong-client"),
        (jwt.InvalidAlgorithmError, "wrong-algorithm"),
        (jwt.MissingRequiredClaimError, "claim-missing"),
        (jwt.InvalidSignatureError, "wrong-signature"),
    ):
        if isinstance(error, kind):
            return slug
    return "malformed"
