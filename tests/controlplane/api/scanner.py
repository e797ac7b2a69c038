"""GitHub as the hook sees it: a key that signs, and a server of public keys on loopback that can be slow, broken or gone."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from tests.controlplane.api.machine import Answer

PATH = "/hooks/leaks/github"
URL = "https://github.com/octo/hello/blob/1234/config.py"


class Signer:
    """A private key and the identifier that it goes by."""

    def __init__(self, identifier: str, curve: ec.EllipticCurve | None = None) -> None:
        self.identifier = identifier
        self.private = ec.generate_private_key(curve or ec.SECP256R1())

    @property
    def entry(self) -> dict[str, Any]:
        """As the key server lists it."""
        pem = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {"key_identifier": self.identifier, "key": pem, "is_current": True}

    def sign(self, raw: bytes) -> str:
        return base64.b64encode(self.private.sign(raw, ec.ECDSA(SHA256()))).decode()


class KeyServer:
    """Serves ``{"public_keys": [...]}``; ``answer`` may be replaced by a function of the handler that writes something else."""

    def __init__(self, *signers: Signer) -> None:
        self.entries: list[Any] = [signer.entry for signer in signers]
        self.asked = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self.serve
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked += 1
                owner.answer(self)

            def log_message(self, *args: Any) -> None:
                """Not in a test's output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/meta/public_keys/secret_scanning"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        self.send(handler, json.dumps({"public_keys": self.entries}).encode())

    def send(self, handler: BaseHTTPRequestHandler, raw: bytes, status: int = 200, **headers: str) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Scanner:
    """Sends reports to the hook."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    def report(self, *texts: str, url: str = URL) -> Answer:
        return self.send(json.dumps([finding(text, url) for text in texts]).encode())

    def send(self, raw: bytes, *, method: str = "POST", **changed: str | None) -> Answer:
        """Send these bytes, signed; header names are written with underscores, None leaves one out."""
        headers: dict[str, str | None] = {
            "Github-Public-Key-Identifier": self.signer.identifier,
            "Github-Public-Key-Signature": self.signer.sign(raw),
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        given = {name: value for name, value in headers.items() if value is not None}
        response: Any = self.client.generic(method, PATH, raw, "application/json", headers=given)
        is_json = "json" in response.headers.get("Content-Type", "")
        return Answer(
            response.status_code, json.loads(response.content) if is_json else None, dict(response.headers), response.content
        )


def finding(text: str, url: str = URL) -> dict[str, str]:
    return {"token": text, "type": "controlplane_api_key", "url": url, "source": "content"}
