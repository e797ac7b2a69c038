"""Somebody who calls the API, as tests see them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from controlplane.api.models import OperatorToken

ROOT = "/api/v1"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """A response, with its body read."""

    status: int
    body: Any
    headers: dict[str, str]
    raw: bytes


class Machine:
    """Somebody who calls the API with a token or a key, or without one, from some address."""

    def __init__(self, text: str = "", row: OperatorToken | None = None, *, address: str = "127.0.0.1") -> None:
        self.text = text
        self.row = row
        self.client = Client(raise_request_exception=False, REMOTE_ADDR=address)

    def ask(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Answer:
        """Send a request; header names are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.text:
            given.setdefault("Authorization", f"Bearer {self.text}")
        content_type = given.pop("Content-Type", "application/json")
        data = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        response: Any = self.client.generic(
            method, path if path.startswith("/") else f"{ROOT}/{path}", data, content_type, headers=given
        )
        content = b"".join(response.streaming_content) if response.streaming else response.content
        is_json = bool(content) and "json" in response.headers.get("Content-Type", "")
        return Answer(response.status_code, json.loads(content) if is_json else content, dict(response.headers), content)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        """Send a POST with a fresh idempotency key unless one is given; an empty key sends none."""
        fresh = f"key-{next(_numbers)}" if key is None else key
        more = {"Idempotency_Key": fresh} if fresh else {}
        return self.ask("POST", path, body, **more, **headers)

    def patch(self, path: str, body: Any, *, etag: str | None = None, **headers: str) -> Answer:
        """Send a PATCH with the ETag that a GET gives now unless one is given; an empty one sends none."""
        current = self.get(path).headers.get("ETag", "*") if etag is None else etag
        more = {"If_Match": current} if current else {}
        return self.ask("PATCH", path, body, **more, **headers)
