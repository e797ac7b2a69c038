"""The hook of secret scanners: the signature is the credential, a body is parsed after it, and a report is taken once."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import UnreadablePostError
from django.test import RequestFactory

from controlplane.api.leaks import views
from controlplane.api.leaks.views import MAX_BODY_BYTES
from core.audit.models import AuditEvent
from core.outbox.models import OutboxEvent
from tenants.keys import tokens
from tenants.keys.models import ApiKey, LeakReport
from tenants.keys.scanners import MOST_FINDINGS
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.controlplane.api.machine import Answer, Machine
from tests.controlplane.api.scanner import PATH, KeyServer, Scanner, Signer, finding
from tests.tenants.keys.leaked import key_row, leaking, version_row

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer("f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d")


@pytest.fixture
def key_server(signer: Signer, settings: Any) -> Iterator[KeyServer]:
    """A key server of this test's own, and a hook that has asked it nothing yet."""
    server = KeyServer(signer)
    settings.GITHUB_KEYS_URL = server.url
    yield server
    server.stop()
    views.public_keys.cache_clear()


@pytest.fixture
def scanner(signer: Signer, key_server: KeyServer) -> Scanner:
    return Scanner(signer)


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).rpartition("#")[2]


def told(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.body.items() if name != "request_id"}


def test_a_mixed_report_is_answered_in_its_order_with_hashes(scanner: Scanner, acme: Tenant) -> None:
    text = version_row(key_row(acme))
    unknown = tokens.new_token("cpk", "live").text
    typo = text[:-1] + ("A" if text[-1] != "A" else "B")
    answer = scanner.report(typo, text, unknown, text)
    assert answer.status == 200
    assert [item["label"] for item in answer.body] == ["false_positive", "true_positive", "false_positive", "true_positive"]
    assert {item["token_type"] for item in answer.body} == {"controlplane_api_key"}
    assert [item["token_hash"] for item in answer.body][1] == hashlib.sha256(text.encode()).hexdigest()
    assert {frozenset(item) for item in answer.body} == {frozenset({"token_hash", "token_type", "label"})}
    assert verify(text).code is Code.NOT_FOUND
    assert LeakReport.objects.get().body_digest != ""


def test_each_tenant_s_policy_is_asked(scanner: Scanner, acme: Tenant, globex: Tenant) -> None:
    leaking(globex, "rotate")
    keys = key_row(acme), key_row(globex)
    scanner.report(*(version_row(key) for key in keys))
    for key in keys:
        key.refresh_from_db()
    assert [(key.state, key.rotate_due_at is not None) for key in keys] == [("revoked", False), ("active", True)]


def wrong_signatures(raw: bytes, signer: Signer) -> dict[str, dict[str, str | None]]:
    good = signer.sign(raw)
    return {
        "no headers": {"Github_Public_Key_Identifier": None, "Github_Public_Key_Signature": None},
        "no identifier": {"Github_Public_Key_Identifier": None},
        "no signature": {"Github_Public_Key_Signature": None},
        "empty": {"Github_Public_Key_Signature": ""},
        "an unknown key": {"Github_Public_Key_Identifier": "0" * 64},
        "an identifier of no shape": {"Github_Public_Key_Identifier": "../" * 99},
        "another's signature": {"Github_Public_Key_Signature": Signer("x").sign(raw)},
        "of another body": {"Github_Public_Key_Signature": signer.sign(raw + b" ")},
        "not base64": {"Github_Public_Key_Signature": "!" + good[1:]},
        "base64 of something else": {"Github_Public_Key_Signature": base64.b64encode(b"not DER").decode()},
        "cut off": {"Github_Public_Key_Signature": good[:-8]},
        "very long": {"Github_Public_Key_Signature": good * 1000},
        "not ASCII": {"Github_Public_Key_Signature": "\xe9" + good},
        "a bearer token instead": {"Github_Public_Key_Signature": None, "Authorization": "Bearer cpo_dev_x"},
    }


@pytest.mark.parametrize("name", wrong_signatures(b"", Signer("x")))
def test_whatever_is_wrong_with_the_signature_the_answer_is_one(
    scanner: Scanner, stranger: Machine, acme: Tenant, name: str
) -> None:
    text = version_row(key_row(acme))
    raw = json.dumps([finding(text)]).encode()
    answer = scanner.send(raw, **wrong_signatures(raw, scanner.signer)[name])
    door = stranger.get("tenants")
    assert (answer.status, told(answer)) == (401, {**told(door), "instance": PATH})
    assert answer.headers["WWW-Authenticate"] == door.headers["WWW-Authenticate"]
    assert [told(scanner.send(b"{", method=method, Github_Public_Key_Signature=None)) for method in ("GET", "PUT")] == [
        told(answer)
    ] * 2
    assert verify(text).code is Code.VALID
    assert not LeakReport.objects.exists()


def test_a_tampered_body_is_refused_unread(scanner: Scanner, acme: Tenant) -> None:
    text = version_row(key_row(acme))
    signature = scanner.signer.sign(json.dumps([finding("another")]).encode())
    answer = scanner.send(json.dumps([finding(text)]).encode(), Github_Public_Key_Signature=signature)
    assert (answer.status, verify(text).code) == (401, Code.VALID)
    assert scanner.send(b"[" * 100_000, Github_Public_Key_Signature=signature).status == 401


def test_a_key_on_another_curve_signs_nothing(key_server: KeyServer) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    other = Signer("other", ec.SECP384R1())
    key_server.entries.append(other.entry)
    assert Scanner(other).send(b"[]").status == 401


def test_a_replayed_body_is_refused_and_its_first_effects_stand(scanner: Scanner, acme: Tenant) -> None:
    text = version_row(key_row(acme))
    raw = json.dumps([finding(text)]).encode()
    assert scanner.send(raw).status == 200
    events, entries = OutboxEvent.objects.count(), AuditEvent.objects.count()
    again = scanner.send(raw)
    assert (again.status, kind_of(again)) == (409, "report-taken")
    assert text not in again.raw.decode()
    assert (OutboxEvent.objects.count(), AuditEvent.objects.count()) == (events, entries)
    assert ApiKey.objects.get().state == "revoked"


BODIES: dict[str, tuple[bytes, int, str, str]] = {
    "nothing": (b"", 400, "malformed-request", ""),
    "not JSON": (b"token=x", 400, "malformed-request", ""),
    "bad UTF-8": (b'[{"token": "\xff", "type": "t"}]', 400, "malformed-request", ""),
    "half a surrogate pair": (b'[{"token": "\\ud83d", "type": "t"}]', 400, "malformed-request", ""),
    "deep": (b"[" * 100_000, 400, "malformed-request", ""),
    "a name twice": (b'[{"token": "a", "token": "b", "type": "t"}]', 400, "malformed-request", ""),
    "an object": (b"{}", 422, "invalid-input", ""),
    "null": (b"null", 422, "invalid-input", ""),
    "a number among them": (b'[{"token": "a", "type": "t"}, 1]', 422, "invalid-input", "/1"),
    "a list as token": (b'[{"token": [], "type": "t"}]', 422, "invalid-input", "/0/token"),
    "no type": (b'[{"token": "a"}]', 422, "invalid-input", "/0/type"),
    "an empty token": (b'[{"token": "", "type": "t"}]', 422, "invalid-input", "/0/token"),
    "a number as url": (b'[{"token": "a", "type": "t", "url": 1}]', 422, "invalid-input", "/0/url"),
    "a long token": (json.dumps([finding("a" * 5000)]).encode(), 422, "invalid-input", "/0/token"),
    "one too many": (json.dumps([finding("a")] * (MOST_FINDINGS + 1)).encode(), 422, "invalid-input", ""),
    "a thousand wrong ones": (json.dumps([1] * 1000).encode(), 422, "invalid-input", "/0"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_signed_body_that_cannot_be_meant(scanner: Scanner, name: str) -> None:
    raw, status, kind, pointer = BODIES[name]
    answer = scanner.send(raw)
    assert (answer.status, kind_of(answer)) == (status, kind)
    if pointer:
        assert answer.body["errors"][0]["pointer"] == pointer
    assert len(answer.raw) < 10_000
    assert not LeakReport.objects.exists()


def test_what_is_not_known_is_ignored_and_what_may_be_empty_may_be_absent(scanner: Scanner) -> None:
    raw = b'[{"token": "a\\u0000b", "type": "t", "new": {}}, {"token": "b", "type": "t", "url": null, "source": ""}]'
    assert scanner.send(raw).status == 200
    assert scanner.send(b"[]").body == []


def test_the_limit_is_held_by_what_is_announced_and_by_what_comes(scanner: Scanner) -> None:
    within = b"[]" + b" " * (MAX_BODY_BYTES - 2)
    assert scanner.send(within).status == 200
    over = scanner.send(within + b" ")
    assert (over.status, kind_of(over)) == (413, "body-too-large")
    for announced in (str(MAX_BODY_BYTES + 1), "9" * 30):
        assert scanner.send(b"[]", Content_Length=announced).status == 413
    request = RequestFactory().post(PATH, within + b" ", "application/json", headers=signed(scanner, within))
    request.META["CONTENT_LENGTH"] = "2"
    assert views.github(request).status_code == 413


def signed(scanner: Scanner, raw: bytes) -> dict[str, str]:
    return {views.IDENTIFIER: scanner.signer.identifier, views.SIGNATURE: scanner.signer.sign(raw)}


def test_a_connection_that_ends_early_is_no_error_of_ours(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    request = RequestFactory().post(PATH, b"[]", "application/json", headers=signed(scanner, b"[]"))

    def gone(_size: int) -> bytes:
        raise UnreadablePostError("gone")

    monkeypatch.setattr(request, "read", gone)
    assert views.github(request).status_code == 401


def test_another_method_is_told_so_once_it_is_signed(scanner: Scanner) -> None:
    answer = scanner.send(b"", method="GET")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_an_unknown_error_says_nothing(scanner: Scanner, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    text = version_row(key_row(acme))

    def broken(**_: Any) -> list[bool]:
        raise RuntimeError(f"about {text}")

    monkeypatch.setattr(views.leaks, "take_report", broken)
    answer = scanner.report(text)
    assert (answer.status, kind_of(answer)) == (500, "internal-error")
    assert text not in answer.raw.decode()


def test_no_text_of_a_key_is_in_an_answer_or_a_log(
    scanner: Scanner, acme: Tenant, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    texts = [version_row(key_row(acme)), tokens.new_token("cpk", "live").text]
    raw = json.dumps([finding(text, f"https://github.com/{text}?k={text}") for text in texts]).encode()
    with caplog.at_level("DEBUG"), django_capture_on_commit_callbacks(execute=True):
        answers = [scanner.send(raw), scanner.send(raw), scanner.send(raw[:-1]), scanner.send(raw, Github_Public_Key_Signature="x")]
    assert [answer.status for answer in answers] == [200, 409, 400, 401]
    kept = [caplog.text, *(repr(record.__dict__) for record in caplog.records), *(answer.raw.decode() for answer in answers)]
    for model in (LeakReport, AuditEvent, OutboxEvent):
        kept += [repr(row) for row in model.objects.values()]
    assert [text for text in texts if text[-39:] in "\n".join(kept)] == []


@pytest.mark.parametrize(
    "path",
    ["/hooks", "/hooks/", "/hooks/leaks", "/hooks/leaks/github/", "/hooks/leaks/gitlab", "/hooks/a\nb", "/hooks/<script>"],
)
def test_any_other_path_of_the_hooks_answers_as_the_hook_does(scanner: Scanner, stranger: Machine, api: Machine, path: str) -> None:
    """So nobody without a signature can tell which hooks there are; somebody with a token is told that there is nothing."""
    unsigned = scanner.send(b"{", Github_Public_Key_Signature=None)
    for method in ("GET", "POST", "PUT"):
        answer = stranger.ask(method, path.replace("\n", "%0A"))
        assert (answer.status, answer.headers["Content-Type"]) == (401, "application/problem+json")
        assert {**told(answer), "instance": PATH} == told(unsigned)
        assert answer.headers["WWW-Authenticate"] == unsigned.headers["WWW-Authenticate"]
    found = api.ask("POST", path.replace("\n", "%0A"))
    assert (found.status, found.body["type"].rpartition("#")[2]) == (404, "not-found")


@pytest.mark.parametrize("path", ["/hooks/leaks/github", "/api/v1/tenants"])
def test_a_host_that_is_not_served_is_told_as_a_problem(stranger: Machine, path: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["console.example.com"]
    answer = stranger.ask("POST", path)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
