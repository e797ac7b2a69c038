"""``manage.py tokens``: the token is written once, to standard output alone."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from controlplane.api import services
from controlplane.api.models import OperatorToken
from core.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("tokens", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_issue_writes_a_working_token_and_nothing_else_to_standard_output() -> None:
    out, err = run("issue", "--label", "billing", "--scope", "tenants:write", "--scope", "operations:read", "--days", "7")
    row = services.authenticate(out.strip())
    assert row is not None
    assert row.scopes == ["tenants:write", "operations:read"]
    assert (row.expires_at - row.created_at).days == 7
    assert row.pk in err
    assert out.strip() not in err
    event = AuditEvent.objects.get(action="token.issued")
    assert event.actor_kind == "operator"
    assert event.target == row.pk


@pytest.mark.parametrize(("word", "count"), [("*", 13), ("*:read", 7), ("tiers:read", 1)])
def test_scopes_have_short_forms(word: str, count: int) -> None:
    run("issue", "--label", "crm", "--scope", word)
    assert len(OperatorToken.objects.get().scopes) == count


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--label", "crm", "--scope", "tenants:delete"), "tenants:delete"),
        (("--label", " ", "--scope", "*"), "label"),
        (("--label", "crm", "--scope", "*", "--days", "0"), "one minute"),
        (("--label", "crm", "--scope", "*", "--days", "99999999999"), "366 days"),
        (("--label", "crm"), "--scope"),
    ],
)
def test_a_refusal_says_why_and_issues_nothing(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("issue", *words)
    assert not OperatorToken.objects.exists()


def test_list_shows_what_is_usable_and_never_a_secret() -> None:
    text = run("issue", "--label", "crm", "--scope", "*")[0].strip()
    row = OperatorToken.objects.get()
    listed = run("list")[0]
    assert row.pk in listed
    assert f"...{text[-4:]}" in listed
    assert text[-20:] not in listed
    run("revoke", row.pk, "--reason", "done with it")
    assert row.pk not in run("list")[0]
    assert "revoked" in run("list", "--all")[0]


def test_revoke_ends_it() -> None:
    text = run("issue", "--label", "crm", "--scope", "*")[0].strip()
    assert services.authenticate(text) is not None
    run("revoke", OperatorToken.objects.get().pk, "--reason", "it leaked")
    assert services.authenticate(text) is None
    with pytest.raises(CommandError, match="no such token"):
        run("revoke", "tok_nobody", "--reason", "it leaked")


def test_revoke_wants_a_reason() -> None:
    with pytest.raises(CommandError, match="--reason"):
        run("revoke", "tok_nobody")


def test_the_list_is_one_query(django_assert_num_queries: Any) -> None:
    for label in ("one", "two", "three"):
        run("issue", "--label", label, "--scope", "*")
    with django_assert_num_queries(1):
        run("list")
