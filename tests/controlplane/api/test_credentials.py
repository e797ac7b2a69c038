"""Who is let in: the one answer to everybody who is not, what it costs, and how use and end of a token are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from controlplane.api import services, tokens
from controlplane.api.models import OperatorToken
from controlplane.api.scopes import Scope
from core.actors import operator, system
from core.audit.models import AuditEvent
from core.errors import InvalidInputError, NotFoundError
from tenants.keys.tokens import checksum_of
from tests.controlplane.api.machine import Machine

pytestmark = pytest.mark.django_db
Make = Callable[..., Machine]

PATHS = (
    "/api/v1/tenants",
    "/api/v1/tenants/acme",
    "/api/v1/tenants/acme:suspend",
    "/api/v1/operations/op_00000000000000000000000000/stream",
    "/api/v1/nowhere",
    "/api/v1/",
    "/api/",
    "/api/v9/tenants",
    "/api/v1/tenants/acme%0Aevil",
    "/api/v1/%ff%fe",
    "/api/admin/../secrets",
)


def same(body: dict[str, Any]) -> dict[str, Any]:
    """A problem without what is of this one request."""
    return {name: value for name, value in body.items() if name not in ("instance", "request_id")}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", PATHS)
def test_every_path_answers_strangers_alike(stranger: Machine, path: str, method: str) -> None:
    answer = stranger.ask(method, path)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="control plane"'
    assert answer.headers["Content-Type"] == "application/problem+json"
    reference = stranger.get("/api/v1/tenants").headers
    volatile = ("X-Request-Id", "Content-Length")
    assert {name: answer.headers[name] for name in answer.headers if name not in volatile} == {
        name: reference[name] for name in reference if name not in volatile
    }
    if method != "HEAD":
        assert same(answer.body) == same(stranger.get("/api/v1/tenants").body)


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "image/png"},
        {"Content_Type": "text/plain"},
        {"Content_Length": "99999999"},
        {"If_Match": "nonsense"},
    ],
)
def test_credentials_come_before_every_other_check(stranger: Machine, headers: dict[str, str]) -> None:
    assert stranger.ask("POST", "tenants", raw=b"{", **headers).status == 401


def wrong_secret(text: str) -> str:
    body = text[:-7] + ("A" if text[-7] != "A" else "B")
    return body + checksum_of(body)


WRONG: dict[str, Callable[[str], str]] = {
    "none": lambda _: "",
    "another scheme": lambda text: f"Basic {text}",
    "the scheme alone": lambda _: "Bearer",
    "no scheme": lambda text: text,
    "wrong checksum": lambda text: f"Bearer {text[:-1]}{'a' if text[-1] != 'a' else 'b'}",
    "cut off": lambda text: f"Bearer {text[:-2]}",
    "wrong secret": lambda text: f"Bearer {wrong_secret(text)}",
    "unknown": lambda _: f"Bearer {tokens.new_token('dev').text}",
    "another environment": lambda _: f"Bearer {tokens.new_token('production').text}",
    "two": lambda text: f"Bearer {text}, Bearer {text}",
    "not ASCII": lambda _: "Bearer \xe9\xe8",
}


@pytest.mark.parametrize("kind", WRONG)
def test_every_wrong_token_is_answered_alike(api: Machine, stranger: Machine, kind: str) -> None:
    answer = stranger.get("tenants", Authorization=WRONG[kind](api.text))
    assert answer.status == 401
    assert same(answer.body) == same(stranger.get("tenants").body)


@pytest.mark.parametrize("kind", ["none", "wrong checksum", "cut off", "another environment", "not ASCII"])
def test_a_typo_costs_no_query(api: Machine, stranger: Machine, kind: str, django_assert_num_queries: Any) -> None:
    authorization = WRONG[kind](api.text)
    with django_assert_num_queries(0):
        assert stranger.get("tenants", Authorization=authorization).status == 401


@pytest.mark.parametrize("kind", ["wrong secret", "unknown"])
def test_a_wrong_secret_costs_what_an_unknown_token_costs(
    api: Machine, stranger: Machine, kind: str, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    monkeypatch.setattr(services, "matches", lambda text, pepper, digest: compared.append(text))
    with django_assert_num_queries(1):
        assert stranger.get("tenants", Authorization=WRONG[kind](api.text)).status == 401
    assert len(compared) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_case_insensitive(api: Machine, stranger: Machine, scheme: str) -> None:
    assert stranger.get("tenants", Authorization=f"{scheme} {api.text}").status == 200


def test_an_expired_token_is_refused(machine: Make) -> None:
    crm = machine(lifetime=timedelta(hours=1))
    assert crm.get("tenants").status == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=59), tick=False):
        assert crm.get("tenants").status == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
        assert crm.get("tenants").status == 401


def test_a_revoked_token_is_refused_at_once(api: Machine) -> None:
    assert api.row is not None
    services.revoke_token(actor=operator("ada"), token_id=api.row.pk, reason="it leaked")
    assert api.get("tenants").status == 401


def test_revoking_twice_is_one_event_and_an_unknown_token_is_not_found(api: Machine) -> None:
    assert api.row is not None
    first = services.revoke_token(actor=operator("ada"), token_id=api.row.pk, reason="it leaked")
    second = services.revoke_token(actor=operator("bob"), token_id=api.row.pk, reason="me too")
    assert first.revoked_at == second.revoked_at
    event = AuditEvent.objects.get(action="token.revoked")
    assert (event.actor_id, event.reason, event.target) == ("ada", "it leaked", api.row.pk)
    with pytest.raises(NotFoundError):
        services.revoke_token(actor=operator("ada"), token_id="tok_nobody")


def test_the_database_never_holds_the_text(api: Machine) -> None:
    assert api.row is not None
    stored = str(OperatorToken.objects.values().get(pk=api.row.pk))
    assert api.text not in stored
    assert api.text[-39:-4] not in stored
    assert api.text not in str(list(AuditEvent.objects.values()))


def test_use_is_noted_once_a_minute(api: Machine, django_assert_num_queries: Any) -> None:
    assert api.row is not None
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        api.get("tiers")
        with django_assert_num_queries(2):
            api.get("tiers")
    with time_machine.travel(start + timedelta(seconds=59), tick=False):
        api.get("tiers")
        assert OperatorToken.objects.get(pk=api.row.pk).last_used_at == start
    with time_machine.travel(start + timedelta(seconds=61), tick=False):
        api.get("tiers")
        assert OperatorToken.objects.get(pk=api.row.pk).last_used_at == start + timedelta(seconds=61)


def test_a_refused_token_leaves_no_use(api: Machine, stranger: Machine) -> None:
    assert api.row is not None
    stranger.get("tenants", Authorization=f"Bearer {wrong_secret(api.text)}")
    assert OperatorToken.objects.get(pk=api.row.pk).last_used_at is None


def test_a_new_pepper_serves_new_tokens_and_the_old_one_old_tokens(machine: Make, settings: Any) -> None:
    old = machine()
    settings.TOKEN_PEPPERS = {**settings.TOKEN_PEPPERS, 2: b"another pepper of 32 bytes or more"}
    new = machine()
    assert new.row is not None
    assert new.row.pepper_id == 2
    assert (old.get("tiers").status, new.get("tiers").status) == (200, 200)
    settings.TOKEN_PEPPERS = {2: settings.TOKEN_PEPPERS[2]}
    assert (old.get("tiers").status, new.get("tiers").status) == (401, 200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": " "},
        {"label": "x" * 101},
        {"label": "two\nlines"},
        {"scopes": []},
        {"lifetime": timedelta(0)},
        {"lifetime": timedelta(days=367)},
    ],
)
def test_nothing_strange_is_issued(wrong: dict[str, Any]) -> None:
    given = {"label": "crm", "scopes": [Scope.TIERS_READ], "lifetime": timedelta(days=1), **wrong}
    with pytest.raises(InvalidInputError) as refused:
        services.issue_token(actor=system("tests"), **given)
    assert refused.value.errors[0].pointer == f"/{next(iter(wrong))}"
    assert not OperatorToken.objects.exists()
