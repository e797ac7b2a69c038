"""The hosted endpoints: the address that a browser is sent to, and an exchange that believes and waits for little."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from core.aws import hosted
from core.aws.hosted import CodeRefusedError, Hosted, HostedAwayError, Tokens, authorize_url, challenge_of, exchange, new_secret

GOOD = {"id_token": "i.i.i", "access_token": "a.a.a", "token_type": "Bearer"}


class Endpoint(HTTPServer):
    """Answers what a test says, and keeps what it was asked."""

    status, body, headers = 200, json.dumps(GOOD).encode(), {}
    asked: list[dict[str, list[str]]]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.asked.append({"path": [self.path], **parse_qs(asked)})
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # somebody has read enough
                self.wfile.write(made.body)

        def do_GET(self) -> None:
            made.asked.append({"path": [self.path]})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(GOOD).encode())

        def log_message(self, *args: object) -> None:
            pass

    made = Endpoint(("127.0.0.1", 0), Handler)
    made.asked = []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def at(endpoint: Endpoint) -> Hosted:
    return Hosted(f"http://127.0.0.1:{endpoint.server_port}", "client", "https://portal.example/back/")


def test_the_challenge_is_that_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_secret_is_long_enough_for_a_verifier_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(43 <= len(one) <= 128 and one.replace("-", "").replace("_", "").isalnum() for one in secrets)


def test_the_address_holds_the_challenge_and_not_the_verifier() -> None:
    where = Hosted("https://cp-0.auth.eu-central-1.amazoncognito.com", "client", "https://portal.example/portal/a/b/")
    address = authorize_url(where, provider="cp-x-o", state="s&t", nonce="n", verifier="verifier-text")
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{where.base_url}/oauth2/authorize"
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"verifier-text").digest()).rstrip(b"=").decode()
    assert parse_qs(parts.query) == {
        "response_type": ["code"],
        "client_id": ["client"],
        "redirect_uri": ["https://portal.example/portal/a/b/"],
        "scope": ["email openid profile"],
        "state": ["s&t"],
        "nonce": ["n"],
        "code_challenge": [digest],
        "code_challenge_method": ["S256"],
        "identity_provider": ["cp-x-o"],
    }
    assert "verifier-text" not in address


def test_a_code_is_exchanged_with_its_verifier(endpoint: Endpoint) -> None:
    tokens = exchange(at(endpoint), code="c", verifier="v")
    assert tokens == Tokens("i.i.i", "a.a.a")
    assert "i.i.i" not in repr(tokens)
    assert endpoint.asked == [
        {
            "path": ["/oauth2/token"],
            "grant_type": ["authorization_code"],
            "client_id": ["client"],
            "redirect_uri": ["https://portal.example/back/"],
            "code": ["c"],
            "code_verifier": ["v"],
        }
    ]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_grant"}', CodeRefusedError),
        (401, b"", CodeRefusedError),
        (429, b"", HostedAwayError),
        (500, b"", HostedAwayError),
        (200, b"not json", HostedAwayError),
        (200, b"[]", HostedAwayError),
        (200, b'{"id_token": "i"}', HostedAwayError),
        (200, b'{"id_token": 1, "access_token": "a"}', HostedAwayError),
        (200, b'{"id_token": "", "access_token": "a"}', HostedAwayError),
        (200, b" " * (hosted.MOST_BYTES + 1), HostedAwayError),
    ],
)
def test_what_is_no_answer_is_refused(endpoint: Endpoint, status: int, body: bytes, error: type[Exception]) -> None:
    endpoint.status, endpoint.body = status, body
    with pytest.raises(error):
        exchange(at(endpoint), code="c", verifier="v")


def test_no_redirect_is_followed(endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 302, {"Location": "/elsewhere"}
    with pytest.raises(HostedAwayError):
        exchange(at(endpoint), code="c", verifier="v")
    assert [asked["path"] for asked in endpoint.asked] == [["/oauth2/token"]]


def test_nobody_there_is_away(endpoint: Endpoint) -> None:
    where = at(endpoint)
    endpoint.shutdown()
    endpoint.server_close()
    with pytest.raises(HostedAwayError):
        exchange(where, code="c", verifier="v")


def test_a_slow_answer_is_away(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    held: Any = threading.Event()
    monkeypatch.setattr(hosted, "TIMEOUT", httpx.Timeout(0.2))
    monkeypatch.setattr(Endpoint, "process_request", lambda *args: held.wait(5))
    with pytest.raises(HostedAwayError):
        exchange(at(endpoint), code="c", verifier="v")
    held.set()
