"""``keys:verify``: whether a key is good, with Unkey's codes; and that what was presented is never written down."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from controlplane.api.models import IdempotencyRecord
from tenants.keys.models import KeyUse, KeyVersion
from tenants.keys.tokens import new_token
from tenants.models import Tenant
from tests.controlplane.api.held import Held, add_version, hold
from tests.controlplane.api.machine import Answer, Machine
from tests.controlplane.api.test_key_callers import wrong_secret

pytestmark = pytest.mark.django_db
Make = Callable[..., Machine]
NOTHING = {
    "valid": False,
    "code": "NOT_FOUND",
    **dict.fromkeys(("key_id", "version_id", "tenant_id", "environment", "scopes", "expires_at", "name", "metadata")),
}


@pytest.fixture
def back_end(machine: Make) -> Machine:
    """The SaaS's own: it may verify, and nothing else."""
    return machine("keys:verify")


@pytest.fixture
def held(acme: Tenant) -> Held:
    return hold(acme, scopes=["events:read", "events:write"], metadata={"team": "data"})


def ask(back_end: Machine, text: Any, **more: Any) -> Answer:
    return back_end.post("keys:verify", {"key": text, **more}, key="")


def test_a_good_key_is_told_with_all_that_is_of_use(back_end: Machine, held: Held) -> None:
    answer = ask(back_end, held.text, scopes=["events:write"], address="192.0.2.7")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == {
        "valid": True,
        "code": "VALID",
        "key_id": held.key.pk,
        "version_id": held.version.pk,
        "tenant_id": held.key.tenant_id,
        "environment": "live",
        "scopes": ["events:read", "events:write"],
        "expires_at": held.version.expires_at.isoformat().replace("+00:00", "Z"),
        "name": "ingest",
        "metadata": {"team": "data"},
    }
    version = KeyVersion.objects.get(pk=held.version.pk)
    assert (version.last_used_from, KeyUse.objects.get(version=version).calls) == ("192.0.2.7", 1)


def test_a_wrong_text_a_revoked_key_and_an_unknown_one_are_the_same_to_the_byte(
    back_end: Machine, acme: Tenant, held: Held
) -> None:
    revoked = hold(acme, state="revoked", ended_at=timezone.now())
    texts = [
        wrong_secret(held.text),
        revoked.text,
        new_token("cpk", "live").text,
        held.text[:-1],
        f" {held.text}",
        f"{held.text}\n",
        "",
        "x" * 20_000,
        "sk_foreign_4eC39HqLyjWDarjtT1zdp7dc",
    ]
    answers = [ask(back_end, text) for text in texts]
    assert {answer.raw for answer in answers} == {answers[0].raw}
    assert answers[0].body == NOTHING
    assert not KeyUse.objects.exists()


def test_each_code_has_its_cause(back_end: Machine, acme: Tenant, initech: Tenant, held: Held) -> None:
    now = timezone.now()
    over = hold(acme)
    KeyVersion.objects.filter(pk=over.version.pk).update(issued_at=now - timedelta(days=2), expires_at=now - timedelta(seconds=1))
    near = hold(acme, cidrs=["192.0.2.0/24"])
    asked: list[tuple[str, dict[str, Any], str]] = [
        (held.text, {}, "VALID"),
        (held.text, {"scopes": ["events:delete"]}, "INSUFFICIENT_PERMISSIONS"),
        (hold(acme, state="disabled").text, {}, "DISABLED"),
        (hold(initech).text, {}, "DISABLED"),
        (over.text, {}, "EXPIRED"),
        (near.text, {}, "FORBIDDEN"),
        (near.text, {"address": "198.51.100.7"}, "FORBIDDEN"),
        (near.text, {"address": "192.0.2.7"}, "VALID"),
        (near.text, {"address": "::ffff:192.0.2.7"}, "VALID"),
    ]
    for text, more, code in asked:
        answer = ask(back_end, text, **more)
        assert (answer.status, answer.body["code"], answer.body["valid"]) == (200, code, code == "VALID")
        assert answer.body["key_id"] is not None
    assert sum(KeyUse.objects.values_list("calls", flat=True)) == 3


def test_a_predecessor_is_good_until_its_overlap_ends(back_end: Machine, held: Held) -> None:
    retires_at = timezone.now() + timedelta(hours=1)
    KeyVersion.objects.filter(pk=held.version.pk).update(stage="previous", retires_at=retires_at)
    add_version(held.key, 2)
    answer = ask(back_end, held.text)
    assert (answer.body["valid"], answer.body["version_id"]) == (True, held.version.pk)
    assert answer.body["expires_at"] == retires_at.isoformat().replace("+00:00", "Z")


def test_who_may_verify_sees_nothing_else(back_end: Machine, acme: Tenant, held: Held) -> None:
    assert back_end.get("keys").status == 403
    assert back_end.get(f"tenants/acme/keys/{held.key.pk}").status == 404
    assert back_end.get("tenants/acme").status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/key"),
        ({"key": None}, "/key"),
        ({"key": 7}, "/key"),
        ({"key": ["x"]}, "/key"),
        ({"key": "x", "scopes": "events:write"}, "/scopes"),
        ({"key": "x", "scopes": [7]}, "/scopes/0"),
        ({"key": "x", "address": "300.1.1.1"}, "/address"),
        ({"key": "x", "address": 7}, "/address"),
        ({"key": "x", "tenant": "acme"}, "/tenant"),
    ],
)
def test_a_strange_question_is_refused_at_the_field(back_end: Machine, body: dict[str, Any], pointer: str) -> None:
    answer = back_end.post("keys:verify", body, key="")
    assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, [pointer])


def test_what_was_presented_reaches_no_log_no_record_and_no_refusal(
    back_end: Machine, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    from core.outbox.models import OutboxEvent

    caplog.set_level(logging.DEBUG)
    whole = held.text
    bad = [
        back_end.ask("POST", "keys:verify", raw=f'{{"key": "{whole}"'.encode()),
        back_end.ask("POST", "keys:verify", raw=f'{{"key": "{whole}", "key": "{whole}"}}'.encode()),
        back_end.ask("POST", "keys:verify", raw=whole.encode()),
        back_end.post("keys:verify", {"key": [whole]}, key=""),
        back_end.post("keys:verify", {"key": whole, "address": whole}, key=""),
        back_end.post("keys:verify", {"key": whole, "scopes": whole}, key=""),
        back_end.post("keys:verify", {"key": whole, "other": whole}, key=""),
    ]
    assert {answer.status for answer in bad} == {400, 422}
    ask(back_end, whole)
    ask(back_end, wrong_secret(whole))
    Machine(whole).get("tenants/acme/keys")
    secret = whole[-39:-6]
    assert not any(secret in answer.raw.decode() for answer in bad)
    assert secret not in caplog.text
    assert secret not in "".join(
        str(vars(record)) for record in caplog.records if record.name.startswith(("controlplane", "tenants"))
    )
    assert secret not in str([*IdempotencyRecord.objects.values(), *OutboxEvent.objects.values()])
