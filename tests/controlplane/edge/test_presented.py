"""Where a key stands: the doors, the middleware, the throttle and the Lambda authorizer find the same one in the same headers."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from django.test import RequestFactory

from controlplane.edge.library.asgi import AdmissionMiddleware
from controlplane.edge.library.drf import AdmissionThrottle
from controlplane.edge.presented import MOST_KEY_BYTES, key_in
from controlplane.edge.requests import Request
from tests.controlplane.conftest import ROOT

TABLE: tuple[tuple[str | None, str | None, str], ...] = (
    (None, None, ""),
    (None, "", ""),
    (None, "Bearer abc", "abc"),
    (None, "bEARER  abc ", "abc"),
    (None, "Bearer \tabc\t", "abc"),
    (None, "Bearer", ""),
    (None, "Bearer ", ""),
    (None, "Bearer\tabc", ""),
    (None, "Bearerabc", ""),
    (None, "Basic abc", ""),
    (" abc", None, "abc"),
    ("abc\t", "Bearer other", "abc"),
    ("", "Bearer other", ""),
    (" ", "Bearer other", ""),
    ("abc", "Basic other", "abc"),
    ("\xa0abc", None, "\xa0abc"),
    ("a" * MOST_KEY_BYTES, None, "a" * MOST_KEY_BYTES),
    ("a" * (MOST_KEY_BYTES + 1), "Bearer other", ""),
    (None, "Bearer " + "a" * (MOST_KEY_BYTES + 1), ""),
)
each = pytest.mark.parametrize(("api_key", "authorization", "found"), TABLE)


def headers(api_key: str | None, authorization: str | None) -> dict[str, str]:
    given = {"X-Api-Key": api_key, "Authorization": authorization}
    return {name: value for name, value in given.items() if value is not None}


@each
def test_in_a_door_and_in_the_middleware(api_key: str | None, authorization: str | None, found: str) -> None:
    raw = {name.lower().encode(): value.encode("latin-1") for name, value in headers(api_key, authorization).items()}
    expected = found.encode("latin-1")
    assert key_in(raw.get(b"x-api-key"), raw.get(b"authorization", b"")) == expected
    request = Request()
    request.headers = raw
    assert request.key() == expected
    middleware = AdmissionMiddleware(None, None)  # type: ignore[arg-type]  # neither is asked
    assert middleware._ask_of({"type": "http", "path": "/", "headers": list(raw.items())}).text == expected


@each
def test_in_the_throttle(api_key: str | None, authorization: str | None, found: str) -> None:
    request: Any = RequestFactory().get("/", headers=headers(api_key, authorization))
    assert AdmissionThrottle._key_in(request) == found


@each
def test_in_the_authorizer(api_key: str | None, authorization: str | None, found: str) -> None:
    key_of = runpy.run_path(str(ROOT / "templates/edge/lambda_authorizer.py"))["key_of"]
    key: str = key_of({"headers": headers(api_key, authorization)})
    assert key == found
