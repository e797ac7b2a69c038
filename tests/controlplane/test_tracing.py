"""Request ids in and out, the W3C trace context, and the headers that every answer carries."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from controlplane.logs import current_ids
from controlplane.security import CONSOLE_POLICY, STRICT_POLICY, SecurityHeaders
from controlplane.tracing import RequestIds, trace_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", ["abcdefgh", "7a62c49f-347e-4fc4-9331-6e8eaa2f2f9a", "A.b_c-" * 20])
def test_a_harmless_request_id_is_kept(client: Client, given: str) -> None:
    assert client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 129, "with space", "line\tbreak", 'quote"quote"', "пять-шесть", "<script>alert(1)</script>"]
)
def test_any_other_is_replaced(client: Client, given: str) -> None:
    answered = client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert answered != given
    assert len(answered) == 32


def test_every_request_has_an_id_of_its_own(client: Client) -> None:
    assert client.get("/livez").headers["X-Request-Id"] != client.get("/livez").headers["X-Request-Id"]


def test_both_ids_are_bound_for_the_request_and_no_longer() -> None:
    seen: list[dict[str, str]] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(dict(current_ids()))
        assert request.request_id == "abcdefgh"  # type: ignore[attr-defined]
        return HttpResponse()

    RequestIds(view)(RequestFactory().get("/", headers={"X-Request-Id": "abcdefgh", "traceparent": PARENT}))
    assert seen == [{"request_id": "abcdefgh", "trace_id": TRACE}]
    assert current_ids() == {}


def test_a_request_is_one_line_without_its_query(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "controlplane.access"):
        client.get("/livez?token=hunter2")
        client.get("/nowhere/?q=hunter2")
    lines = [record.getMessage() for record in caplog.records if record.name == "controlplane.access"]
    assert lines == ["GET /nowhere/: 404"]


@pytest.mark.parametrize("header", [PARENT, f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later", f"  {PARENT}  "])
def test_a_valid_trace_parent(header: str) -> None:
    assert trace_id_of(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "nonsense"),
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        f"00-{TRACE}-00f067aa0ba902b7",
    ],
)
def test_an_invalid_trace_parent_is_ignored(header: str | None) -> None:
    assert trace_id_of(header) is None


@pytest.mark.parametrize(
    ("path", "policy"), [("/livez", STRICT_POLICY), ("/api/v1/nothing", STRICT_POLICY), ("/consoles", STRICT_POLICY)]
)
@pytest.mark.django_db
def test_the_policy_is_strict(client: Client, path: str, policy: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == policy
    assert "unsafe" not in policy
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.django_db
def test_the_console_alone_is_relaxed_and_still_closed_to_other_hosts(client: Client) -> None:
    answer = client.get("/console/", follow=True)
    assert answer.headers["Content-Security-Policy"] == CONSOLE_POLICY
    assert "http" not in CONSOLE_POLICY
    assert "*" not in CONSOLE_POLICY
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_view_may_set_its_own_policy() -> None:
    def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    answer = SecurityHeaders(view)(RequestFactory().get("/console/"))
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
