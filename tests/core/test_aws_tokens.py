"""Tokens: what is in order passes, and each way in which one can be forged or foreign is refused by name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from core.aws.tokens import Issuer, TokenKeysError, TokenRefusedError, TokenUse, verify

NAME = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Pool"
CLIENT = "client-of-acme"
OURS, ANOTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
Forge = Callable[..., str]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """A pool's keys, served as Cognito serves them."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OURS.public_key()))
    body = json.dumps({"keys": [{**key, "kid": "ours", "alg": "RS256", "use": "sig"}]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Issuer(NAME, f"http://127.0.0.1:{server.server_port}/jwks.json", CLIENT)
    server.shutdown()


def claims(use: str, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"sub": "person", "iss": NAME, "token_use": use, "auth_time": now, "iat": now, "exp": now + 900}
    made |= {"aud": CLIENT} if use == "id" else {"client_id": CLIENT}
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def signed(use: str = "id", *, key: Any = OURS, algorithm: str = "RS256", kid: str | None = "ours", **changes: Any) -> str:
    return jwt.encode(claims(use, **changes), key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def by_hand(header: dict[str, Any], payload: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload)]
    message = b".".join(parts)
    return b".".join([message, base64.urlsafe_b64encode(sign(message)).rstrip(b"=")]).decode()


def hmac_under_the_public_key(use: str = "id") -> str:
    pem = OURS.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return by_hand(
        {"alg": "HS256", "kid": "ours", "typ": "JWT"}, claims(use), lambda message: hmac.new(pem, message, hashlib.sha256).digest()
    )


@pytest.mark.parametrize("use", list(TokenUse))
def test_a_token_in_order_passes(issuer: Issuer, use: TokenUse) -> None:
    assert verify(signed(use.value), use=use, issuer=issuer, fresh_seconds=60)["sub"] == "person"


def forged() -> dict[str, tuple[str, str]]:
    now = int(time.time())
    return {
        "of another pool": (signed(iss=NAME + "2"), "wrong-issuer"),
        "for another client": (signed(aud="client-of-globex"), "wrong-client"),
        "for nobody": (signed(aud=None), "claim-missing"),
        "expired": (signed(exp=now - 60), "expired"),
        "without an end": (signed(exp=None), "claim-missing"),
        "access for id": (signed("access", aud=CLIENT), "wrong-use"),
        "without a use": (signed(token_use=None), "claim-missing"),
        "of an old sign-in": (signed(auth_time=now - 3_600), "not-fresh"),
        "of a sign-in to come": (signed(auth_time=now + 3_600), "not-fresh"),
        "of a sign-in that is text": (signed(auth_time="now"), "not-fresh"),
        "signed by another key": (signed(key=ANOTHER), "wrong-signature"),
        "of an unknown key": (signed(kid="theirs"), "unknown-key"),
        "of no key": (signed(kid=None), "no-key-id"),
        "unsigned": (by_hand({"alg": "none", "kid": "ours"}, claims("id"), lambda _: b""), "wrong-algorithm"),
        "HMAC under the public key": (hmac_under_the_public_key(), "wrong-algorithm"),
        "another RSA algorithm": (signed(algorithm="RS512"), "wrong-algorithm"),
        "cut off": (signed()[:-20], "malformed"),
        "nothing": ("", "malformed"),
        "no token": ("a.b.c", "malformed"),
    }


@pytest.mark.parametrize("what", list(forged()))
def test_a_forged_or_foreign_id_token_is_refused(issuer: Issuer, what: str) -> None:
    token, reason = forged()[what]
    with pytest.raises(TokenRefusedError) as refused:
        verify(token, use=TokenUse.ID, issuer=issuer, fresh_seconds=60)
    assert refused.value.reason == reason
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (lambda: signed("id", client_id=CLIENT), "wrong-use"),
        (lambda: signed("access", client_id="client-of-globex"), "wrong-client"),
        (lambda: signed("access", client_id=None), "claim-missing"),
        (lambda: hmac_under_the_public_key("access"), "wrong-algorithm"),
    ],
)
def test_a_forged_or_foreign_access_token_is_refused(issuer: Issuer, token: Callable[[], str], reason: str) -> None:
    with pytest.raises(TokenRefusedError) as refused:
        verify(token(), use=TokenUse.ACCESS, issuer=issuer, fresh_seconds=60)
    assert refused.value.reason == reason


def test_without_the_keys_nothing_is_believed(issuer: Issuer) -> None:
    away = replace(issuer, keys_url="http://127.0.0.1:9/jwks.json")
    with pytest.raises(TokenKeysError):
        verify(signed(), use=TokenUse.ID, issuer=away, fresh_seconds=60)
