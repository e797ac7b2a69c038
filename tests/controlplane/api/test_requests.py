"""What bad input gets: a problem that says what is wrong, never a 500; and what a 500 says: nothing."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from django.db import OperationalError
from django.http import UnreadablePostError

from controlplane.api.errors import BodyTooLargeError, MalformedRequestError
from controlplane.api.parsers import MAX_BODY_BYTES, read_body
from controlplane.api.views import tenants
from tenants.models import Tenant
from tests.controlplane.api.machine import Answer, Machine

pytestmark = pytest.mark.django_db
MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


BODIES: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"reason=unpaid", 400, "malformed-request"),
    "cut off": (b'{"reason": "unp', 400, "malformed-request"),
    "twice": (b'{"reason": "a"}{"reason": "b"}', 400, "malformed-request"),
    "a name twice": (b'{"reason": "aaa", "reason": "bbb"}', 400, "malformed-request"),
    "bad UTF-8": (b'{"reason": "\xff\xfe\xfd"}', 400, "malformed-request"),
    "Latin-1": ('{"reason": "caf\xe9"}'.encode("latin-1"), 400, "malformed-request"),
    "UTF-16": ('{"reason": "cafe"}'.encode("utf-16"), 400, "malformed-request"),
    "a byte order mark": (b'\xef\xbb\xbf{"reason": "unpaid"}', 400, "malformed-request"),
    "NaN": (b'{"reason": NaN}', 400, "malformed-request"),
    "infinity": (b'{"reason": -Infinity}', 400, "malformed-request"),
    "half a surrogate pair": (b'{"reason": "\\ud83d"}', 400, "malformed-request"),
    "half a surrogate pair as a name": (b'{"\\udfff": 1}', 400, "malformed-request"),
    "deep": (b"[" * 30_000, 400, "malformed-request"),
    "deep objects": (b'{"a":' * 10_000, 400, "malformed-request"),
    "a long number": (b'{"reason": ' + b"9" * 10_000 + b"}", 400, "malformed-request"),
    "a huge float": (b'{"reason": 1e999}', 422, "invalid-input"),
    "NUL": (b'{"reason": "a\\u0000b"}', 422, "invalid-input"),
    "a list": (b"[]", 422, "invalid-input"),
    "a word": (b'"reason"', 422, "invalid-input"),
    "null": (b"null", 422, "invalid-input"),
    "a number": (b"0", 422, "invalid-input"),
    "nothing": (b"", 422, "invalid-input"),
    "a thousand fields": (json.dumps({f"f{number}": 1 for number in range(1000)}).encode(), 422, "invalid-input"),
    "a long name": (b'{"' + b"a" * 60_000 + b'": 1}', 422, "invalid-input"),
    "too large": (b'{"reason": "' + b"a" * MAX_BODY_BYTES + b'"}', 413, "body-too-large"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_meant(api: Machine, acme: Tenant, name: str) -> None:
    raw, status, kind = BODIES[name]
    answer = api.ask("POST", "tenants/acme:suspend", raw=raw, Idempotency_Key="k")
    assert (answer.status, kind_of(answer)) == (status, kind)
    assert set(answer.body) - {"errors"} == MEMBERS
    assert len(answer.raw) < 20_000
    acme.refresh_from_db()
    assert acme.state == "active"


def test_a_body_of_exactly_the_limit_is_read(api: Machine, acme: Tenant) -> None:
    raw = b'{"reason": "unpaid"}'
    padded = raw + b" " * (MAX_BODY_BYTES - len(raw))
    assert api.ask("POST", "tenants/acme:suspend", raw=padded, Idempotency_Key="k").status == 202


def test_an_announced_length_is_enough_to_refuse(api: Machine, acme: Tenant) -> None:
    answer = api.ask("POST", "tenants/acme:suspend", raw=b"{}", Idempotency_Key="k", Content_Length=str(MAX_BODY_BYTES + 1))
    assert (answer.status, kind_of(answer)) == (413, "body-too-large")


def test_a_body_in_chunks_is_not_taken_for_an_empty_one(api: Machine, acme: Tenant) -> None:
    answer = api.ask("POST", "tenants/acme:suspend", Idempotency_Key="k", Transfer_Encoding="chunked", Content_Length="")
    assert (answer.status, kind_of(answer)) == (411, "length-required")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "nonsense", ""],
)
def test_only_json_is_read(api: Machine, acme: Tenant, content_type: str) -> None:
    answer = api.ask("POST", "tenants/acme:suspend", raw=b'{"reason": "unpaid"}', Idempotency_Key="k", Content_Type=content_type)
    assert (answer.status, kind_of(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-8", 202),
        ('Application/JSON; Charset="UTF-8"', 202),
        ("application/json; charset=latin-1", 415),
        ("application/json;;", 202),
    ],
)
def test_json_is_utf_8(api: Machine, acme: Tenant, content_type: str, status: int) -> None:
    answer = api.ask("POST", "tenants/acme:suspend", raw=b'{"reason": "unpaid"}', Idempotency_Key="k", Content_Type=content_type)
    assert answer.status == status


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("text/html, application/*;q=0.8", 200),
        ("text/html", 406),
        ("application/xml", 406),
        ("nonsense", 406),
        ("/;;=,", 406),
    ],
)
def test_answers_are_json(api: Machine, acme: Tenant, accept: str, status: int) -> None:
    answer = api.get("tenants/acme", Accept=accept)
    assert answer.status == status
    if status == 406:
        assert kind_of(answer) == "not-acceptable"


def test_a_query_on_a_post_is_refused(api: Machine, acme: Tenant) -> None:
    answer = api.post("tenants/acme:suspend?force=1", {"reason": "unpaid"})
    assert (answer.status, answer.body["errors"][0]["parameter"]) == (422, "force")


def test_a_problem_has_exactly_its_members(api: Machine) -> None:
    answer = api.get("tenants/hooli", X_Request_Id="from-the-crm-1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == {
        "type": "https://controlplane.example/docs/problems#not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such tenant.",
        "instance": "/api/v1/tenants/hooli",
        "request_id": "from-the-crm-1",
    }


def test_request_ids_go_in_and_out(api: Machine, acme: Tenant) -> None:
    assert api.get("tenants/acme", X_Request_Id="from-the-crm-1").headers["X-Request-Id"] == "from-the-crm-1"
    made = api.get("tenants/hooli", X_Request_Id="bad id\t")
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["X-Request-Id"])
    assert made.body["request_id"] == made.headers["X-Request-Id"]


def test_instance_is_a_uri_reference(api: Machine) -> None:
    answer = api.get("/api/v1/%3Cscript%3E%C3%A9%0A")
    assert answer.status == 404
    assert re.fullmatch(r"[!-~]+", answer.body["instance"])
    assert "<" not in answer.body["instance"]


SECRETS = ("hunter2", "Traceback", "RuntimeError", "arn:")


@pytest.mark.parametrize(
    "error", [RuntimeError("password=hunter2"), KeyError("arn:aws:iam::1:role/globex"), RecursionError(), MemoryError()]
)
def test_an_unknown_error_says_nothing_but_its_request_id(
    api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(_: Any) -> Tenant:
        raise error

    monkeypatch.setattr(tenants.selectors, "get_tenant", fail)
    answer = api.get("tenants/acme")
    assert (answer.status, kind_of(answer)) == (500, "internal-error")
    assert set(answer.body) == MEMBERS
    assert not [word for word in SECRETS if word in answer.raw.decode()]
    assert any(record.exc_info or getattr(record, "exc_text", None) for record in caplog.records)


def test_a_busy_database_is_a_503(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> Tenant:
        raise OperationalError("database is locked at /srv/secret")

    monkeypatch.setattr(tenants.selectors, "get_tenant", fail)
    answer = api.get("tenants/acme")
    assert (answer.status, kind_of(answer), answer.headers["Retry-After"]) == (503, "busy", "2")
    assert "srv" not in answer.raw.decode()


def test_an_answer_that_cannot_be_written_is_a_problem_too(api: Machine, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants.TenantDetail, "finalize_response", lambda *_, **__: 1 / 0)
    answer = api.get("tenants/acme")
    assert (answer.status, kind_of(answer)) == (500, "internal-error")


def test_a_host_that_is_not_served_is_a_problem_below_api_and_a_page_elsewhere(api: Machine) -> None:
    answer = api.get("tenants", Host="evil.example")
    assert (answer.status, kind_of(answer)) == (400, "malformed-request")
    assert "evil" not in answer.raw.decode()
    page = api.get("/console/", Host="evil.example")
    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (400, "text/html")


def test_a_middleware_that_fails_is_a_problem_below_api_and_a_page_elsewhere(api: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)
    answer = api.get("tenants", X_Request_Id="from-the-crm-1")
    assert (answer.status, kind_of(answer), answer.body["request_id"]) == (500, "internal-error", "from-the-crm-1")
    assert "hunter2" not in answer.raw.decode()
    assert api.get("/console/").headers["Content-Type"].startswith("text/html")


def test_no_sender_decides_how_much_is_read() -> None:
    """Where no length is announced the reader itself stops."""

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 < size <= MAX_BODY_BYTES + 1
            return b" " * size

    with pytest.raises(BodyTooLargeError):
        read_body(Endless())
    assert read_body(io.BytesIO(b" " * MAX_BODY_BYTES)) == b" " * MAX_BODY_BYTES


def test_a_body_that_breaks_off_is_a_problem() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise UnreadablePostError("gone")

    with pytest.raises(MalformedRequestError):
        read_body(Broken())
