"""Answers as bytes: what a view gives, what an idempotency record keeps, what the caller gets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse

MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body that is already JSON text, and the headers that belong to it.

    ``kept_body`` is what an idempotency record keeps instead of a body with a secret in it; None when they are the same.
    """

    status: int
    body: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = MEDIA_TYPE
    kept_body: str | None = None

    def as_response(self, *, replayed: bool = False) -> HttpResponse:
        """Give the response; ``replayed`` marks one that was kept from before."""
        response = HttpResponse(self.body, content_type=self.media_type, status=self.status)
        response.headers.setdefault("Cache-Control", "no-store" if self.status >= 400 else "private, no-cache")
        for name, value in self.headers.items():
            response.headers[name] = value
        if replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response


def answer(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Make an answer from JSON-able data; dates are written as RFC 3339 in UTC by the serializers before."""
    return Answer(status, json_text(data), headers or {})


def json_text(data: Any) -> str:
    """Give the JSON text: one form for answers, entity tags and records, so that they agree to the byte."""
    return json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=True, separators=(",", ":"))


def etag_of(data: Any) -> str:
    """Give a strong entity tag for a representation (RFC 9110, section 8.8.3): it changes if and only if the JSON text does."""
    return f'"{hashlib.sha256(json_text(data).encode()).hexdigest()[:32]}"'
