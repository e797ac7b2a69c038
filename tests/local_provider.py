"""An identity provider on this machine: OpenID Connect and SAML, for one client, that signs in whoever a test says, at once.

The id token is really signed; the SAML answer is not, because nobody who reads it in a test looks (``docs/fidelity.md``).
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
import zlib
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from defusedxml.ElementTree import fromstring

CLIENT_ID, CLIENT_SECRET = "controlplane-at-acme", "wonderful-secret-of-nobody"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
CERTIFICATE = base64.b64encode(b"not a certificate that anybody checks").decode()


@dataclass
class LocalProvider:
    """The provider, and what it says next: ``email`` None says no address, ``error`` refuses, ``more`` are further claims."""

    email: str | None = "dee@acme.example"
    subject: str = "person-1"
    error: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, "")

            def do_POST(self) -> None:
                provider.answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def metadata(self) -> str:
        return (
            '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:local:provider">'
            '<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">'
            '<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
            f"<X509Certificate>{CERTIFICATE}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            '<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            f'Location="{self.issuer}/saml/sso"/></IDPSSODescriptor></EntityDescriptor>'
        )

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, body: str) -> None:
        parts = urlsplit(handler.path)
        given = {name: values[0] for name, values in parse_qs(body or parts.query).items()}
        self.asked.append({"path": parts.path, **given})
        status, headers, content = {
            "/.well-known/openid-configuration": self._discovery,
            "/jwks": self._jwks,
            "/authorize": self._authorize,
            "/token": self._token,
            "/saml/sso": self._saml,
        }.get(parts.path, lambda given: (404, {}, ""))(given)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content.encode())

    def _discovery(self, given: dict[str, str]) -> tuple[int, dict[str, str], str]:
        here = self.issuer
        known = {
            "issuer": here,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "jwks_uri": f"{here}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(known)

    def _jwks(self, given: dict[str, str]) -> tuple[int, dict[str, str], str]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        return 200, {"Content-Type": "application/json"}, json.dumps({"keys": [{**key, "kid": "local", "alg": "RS256"}]})

    def _authorize(self, given: dict[str, str]) -> tuple[int, dict[str, str], str]:
        code = secrets.token_urlsafe(16)
        self.codes.add(code)
        answer = {"error": self.error} if self.error else {"code": code}
        return 302, {"Location": f"{given['redirect_uri']}?{urlencode({**answer, 'state': given['state']})}"}, ""

    def _token(self, given: dict[str, str]) -> tuple[int, dict[str, str], str]:
        mine = given.get("client_id") == CLIENT_ID and given.get("client_secret") == CLIENT_SECRET
        if not mine or given.get("code") not in self.codes:
            return 400, {"Content-Type": "application/json"}, '{"error": "invalid_grant"}'
        self.codes.discard(given["code"])
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": self.subject, "iat": now, "exp": now + 300, **self.more}
        if self.email is not None:
            claims["email"] = self.email
        token = jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "local"})
        return (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"id_token": token, "access_token": "x", "token_type": "Bearer"}),
        )

    def _saml(self, given: dict[str, str]) -> tuple[int, dict[str, str], str]:
        request = fromstring(zlib.decompress(base64.b64decode(given["SAMLRequest"]), -15))
        acs = request.get("AssertionConsumerServiceURL")
        attributes = {CLAIM: self.email, **self.more}
        stated = "".join(
            f'<saml:Attribute Name="{escape(name)}"><saml:AttributeValue>{escape(str(value))}</saml:AttributeValue></saml:Attribute>'
            for name, value in attributes.items()
            if value is not None
        )
        response = (
            '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">'
            f"<saml:Assertion><saml:Subject><saml:NameID>{escape(self.subject)}</saml:NameID></saml:Subject>"
            f"<saml:AttributeStatement>{stated}</saml:AttributeStatement></saml:Assertion></samlp:Response>"
        )
        fields = {"SAMLResponse": base64.b64encode(response.encode()).decode(), "RelayState": given["RelayState"]}
        inputs = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())
        page = f'<!doctype html><title>IdP</title><form method="post" action="{acs}">{inputs}<button>Go on</button></form>'
        return 200, {"Content-Type": "text/html"}, page
