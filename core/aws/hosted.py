"""A user pool's hosted endpoints: the address that a browser is sent to, and the exchange of the code that comes back.

Authorization code with PKCE (RFC 6749, RFC 7636, S256 alone) and the nonce of OpenID Connect. What comes back is believed only after
:mod:`core.aws.tokens` has verified it. The exchange follows no redirect, waits for seconds and reads 64 KiB at most.
https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html and token-endpoint.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from core.errors import DomainError

SCOPES = ("email", "openid", "profile")
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
MOST_BYTES = 65_536


class CodeRefusedError(DomainError):
    """The endpoint does not take the code: it was used, has ended, or belongs to another client, address or verifier."""

    code = "code-refused"
    title = "The code was refused"
    status = 401


class HostedAwayError(DomainError):
    """The endpoint does not answer, or answers what nobody can use."""

    code = "hosted-away"
    title = "The hosted sign-in does not answer"
    status = 503
    retryable = True


@dataclass(frozen=True, slots=True)
class Hosted:
    """Where a pool's endpoints are, the app client that asks, and the one address that it may be answered at. ``base_url`` ends without ``/``."""

    base_url: str
    client_id: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was exchanged for. Nothing of it is ever logged."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


def new_secret() -> str:
    """Give 256 random bits as 43 characters that are good for a state, a nonce and a code verifier alike (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """Give the S256 challenge of a code verifier (RFC 7636, section 4.2). Pure."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def authorize_url(hosted: Hosted, *, provider: str, state: str, nonce: str, verifier: str) -> str:
    """Give the address that sends a browser straight to one identity provider of the pool. Pure."""
    query = {
        "response_type": "code",
        "client_id": hosted.client_id,
        "redirect_uri": hosted.redirect_uri,
        "scope": " ".join(SCOPES),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        "identity_provider": provider,
    }
    return f"{hosted.base_url}/oauth2/authorize?{urlencode(query)}"


def exchange(hosted: Hosted, *, code: str, verifier: str) -> Tokens:
    """Exchange a code for tokens, unverified. Raises CodeRefusedError, HostedAwayError. Not repeatable: a code is good once."""
    form = {
        "grant_type": "authorization_code",
        "client_id": hosted.client_id,
        "redirect_uri": hosted.redirect_uri,
        "code": code,
        "code_verifier": verifier,
    }
    status, body = _post(f"{hosted.base_url}/oauth2/token", form)
    if 400 <= status < 500 and status != 429:
        raise CodeRefusedError
    try:
        answer: Any = json.loads(body) if status == 200 else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise HostedAwayError
    tokens = [answer.get(name) for name in ("id_token", "access_token")]
    if not all(isinstance(token, str) and token for token in tokens):
        raise HostedAwayError
    return Tokens(id_token=str(tokens[0]), access_token=str(tokens[1]))


def _post(url: str, form: dict[str, str]) -> tuple[int, bytes]:
    body = bytearray()
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client,
            client.stream("POST", url, data=form, headers={"Accept": "application/json"}) as answer,
        ):
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise HostedAwayError
            return answer.status_code, bytes(body)
    except httpx.HTTPError as error:
        raise HostedAwayError from error
