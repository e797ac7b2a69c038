from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, models, transaction

from core.actors import Actor, ActorKind, operator, system
from core.audit import sealing, triggers
from core.audit.models import AppendOnlyError, AuditEvent, AuditHead
from core.audit.sealing import pending, seal
from core.audit.secrets import SecretInDetailsError
from core.audit.services import record
from core.audit.verify import verify
from tests.core.audit_chains import ACME, GLOBEX, behind_the_triggers, rows, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sealed a moment ago."""
    monkeypatch.setattr("core.audit.sealing._Pace.not_before", 0.0)


def note(**changes: object) -> AuditEvent:
    given = {"action": "tenant.suspended", "actor": operator("ada", "Ada"), "target": ACME, **changes}
    return record(**given)  # type: ignore[arg-type]


def test_an_event_says_who_did_what_to_whom_why_and_how_it_ended() -> None:
    event = note(tenant_id=ACME, reason="unpaid", outcome="refused", details={"b": 1, "a": "ü"}, correlation_id="req_1")
    event = AuditEvent.objects.get(pk=event.pk)
    assert event.id.startswith("aud_")
    assert event.actor == Actor(ActorKind.OPERATOR, "ada", "Ada")
    assert (event.action, event.target, event.tenant_id, event.reason) == ("tenant.suspended", ACME, ACME, "unpaid")
    assert (event.outcome, event.correlation_id, event.details) == ("refused", "req_1", {"a": "ü", "b": 1})
    assert not event.is_sealed


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        note()
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_commits_with_the_act_and_is_sealed_at_once() -> None:
    with transaction.atomic():
        event = note(tenant_id=ACME)
        assert not AuditEvent.objects.get(pk=event.pk).is_sealed
    assert AuditEvent.objects.get(pk=event.pk).sequence == 1


@pytest.mark.django_db(transaction=True)
def test_under_load_one_act_in_a_while_seals_for_all() -> None:
    for _ in range(5):
        with transaction.atomic():
            note(tenant_id=ACME)
    assert pending().count() == 4, "only the first was sealed by its own act"
    sealing._Pace.not_before = 0.0
    with transaction.atomic():
        note(tenant_id=ACME)
    assert pending().count() == 0
    assert verify().checked == 6


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_with_the_act_that_was_rolled_back_and_leaves_no_gap() -> None:
    for fails in (False, True, False):
        try:
            with transaction.atomic():
                note(tenant_id=ACME)
                if fails:
                    raise ImproperlyConfigured
        except ImproperlyConfigured:
            pass
    seal()
    assert list(AuditEvent.objects.order_by("sequence").values_list("sequence", "tenant_sequence")) == [(1, 1), (2, 2)]


@pytest.mark.django_db(transaction=True)
def test_trouble_while_sealing_never_reaches_the_caller_and_the_sweep_makes_it_good(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("core.audit.sealing._seal_batch", lambda bad: 1 / 0)
        with transaction.atomic():
            note()
    assert pending().count() == 1
    from core.audit import tasks

    assert tasks.seal() == 1
    assert verify().ok


def test_sequences_have_no_gaps_and_tenants_have_chains_of_their_own() -> None:
    events = write(9)
    assert [event.sequence for event in events] == list(range(1, 10))
    for tenant in (ACME, GLOBEX):
        own = [event for event in events if event.tenant_id == tenant]
        assert [event.tenant_sequence for event in own] == [1, 2, 3]
        assert [event.tenant_previous_hash for event in own] == ["", own[0].tenant_hash, own[1].tenant_hash]
    assert [event.tenant_sequence for event in events if event.tenant_id is None] == [None] * 3


def test_sealing_again_does_nothing() -> None:
    write(3)
    assert seal() == 0
    assert verify().checked == 3


def test_more_than_a_batch_is_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.audit.sealing.BATCH", 4)
    write(11)
    assert verify().checked == 11


def test_a_pending_event_that_was_changed_is_never_sealed_and_is_named() -> None:
    first, second = note(tenant_id=ACME), note(tenant_id=ACME)
    with behind_the_triggers():
        rows().filter(pk=first.pk).update(reason="something else")
    assert seal() == 1
    assert AuditEvent.objects.get(pk=second.pk).sequence == 1
    verdict = verify()
    assert verdict.fault is not None
    assert (verdict.fault.id, verdict.fault.sequence, verdict.pending) == (first.id, None, 1)


@pytest.mark.parametrize("text", ["\x00 nul", "lone \ud800 surrogate", "ünï 🎈", "x" * 10_000])
def test_awkward_text_is_kept_readable_and_verifies(text: str) -> None:
    event = note(reason=text, correlation_id=text, target=text[:500], details={"text": text})
    seal()
    assert verify().ok
    assert AuditEvent.objects.get(pk=event.pk).details == {"text": text}


@pytest.mark.parametrize(
    "details", [{"n": 1e22}, {"n": 10**40}, {"n": 0.1}, {"n": -0.0}, {"b": True, "n": None}, {"é": {"z": 1, "a": [1]}}]
)
def test_details_verify_whatever_a_database_would_make_of_numbers(details: dict[str, object]) -> None:
    event = note(details=details)
    seal()
    assert verify().ok
    assert AuditEvent.objects.get(pk=event.pk).details == details


@pytest.mark.parametrize(
    ("field", "value"),
    [("action", "suspend"), ("action", "Tenant.Suspended"), ("outcome", ""), ("target", ""), ("target", "x" * 513)],
)
def test_what_cannot_be_recorded_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"not an action|must have"):
        note(**{field: value})


@pytest.mark.parametrize("details", [{"n": float("nan")}, {"n": float("inf")}])
def test_details_that_are_not_json_are_refused(details: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        note(details=details)


@pytest.mark.parametrize(
    "details",
    [
        {"password": "hunter2"},
        {"a": [{"clientSecret": "s"}]},
        {"Authorization": "x"},
        {"access_token": "t"},
        {"api_key": "k"},
        {"AWS_SECRET_ACCESS_KEY": "k"},
        {"session": {"cookie": "c"}},
        {"header": "Bearer abcdefghijkl"},
        {"note": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x"},
        {"url": "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc"},
        {"pem": "-----BEGIN RSA PRIVATE KEY-----"},
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_repeated(details: dict[str, object]) -> None:
    with pytest.raises(SecretInDetailsError) as caught:
        note(details=details)
    assert "hunter2" not in str(caught.value)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "details",
    [
        {"secret_arn": "arn:x"},
        {"token_id": "tok_1"},
        {"password": ""},
        {"secret": None},
        {"key_id": "k"},
        {"temporary_password_sent": True},
        {"secrets_count": 3},
    ],
)
def test_what_only_names_a_secret_is_kept(details: dict[str, object]) -> None:
    assert note(details=details).details == details


def test_the_model_refuses_every_change() -> None:
    event = write(3)[0]
    event.reason = "another"
    for attempt in (
        event.save,
        event.delete,
        lambda: AuditEvent.objects.filter(pk=event.pk).update(reason="another"),
        lambda: AuditEvent.objects.all().delete(),
        lambda: AuditEvent._base_manager.all().delete(),
        lambda: AuditEvent.objects.bulk_create([event]),
        lambda: AuditEvent.objects.bulk_update([event], ["reason"]),
    ):
        with pytest.raises(AppendOnlyError):
            attempt()
    assert verify().ok


RECORDED = [field.attname for field in AuditEvent._meta.concrete_fields]


# Giving a pending event its sequence is what sealing is, and the one change that passes.
@pytest.mark.parametrize(("column", "sealed"), [(c, s) for c in RECORDED for s in (True, False) if s or c != "sequence"])
def test_the_database_refuses_to_change_any_column(column: str, sealed: bool) -> None:
    event = write(1)[0] if sealed else note()
    value = 77 if isinstance(AuditEvent._meta.get_field(column), (models.BigIntegerField, models.BigAutoField)) else "2020-01-01"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_auditevent SET {column} = %s", [value])
    assert AuditEvent.objects.filter(pk=event.pk).exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_auditevent",
        "DELETE FROM audit_audithead",
        "UPDATE audit_audithead SET sequence = sequence - 1",
        "UPDATE audit_audithead SET hash = 'x'",
        "UPDATE audit_auditevent SET sequence = 9, reason = 'x' WHERE sequence IS NULL",
    ],
)
def test_the_database_refuses_deletion_and_a_head_that_goes_back(statement: str) -> None:
    write(2)
    note()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEvent.objects.count() == 3
    assert AuditHead.objects.get(chain="*").sequence == 2


def test_missing_triggers_are_told() -> None:
    assert verify().unguarded == ()
    triggers.remove(connection)
    assert len(verify().unguarded) >= 4
    triggers.install(connection)
    assert verify().unguarded == ()


def test_two_keys_may_sign_one_chain(settings: object) -> None:
    write(3)
    settings.AUDIT_RETIRED_KEYS = (settings.AUDIT_KEY,)  # type: ignore[attr-defined]
    settings.AUDIT_KEY = b"another key of at least 32 bytes"  # type: ignore[attr-defined]
    write(3)
    assert verify().ok
    settings.AUDIT_RETIRED_KEYS = ()  # type: ignore[attr-defined]
    fault = verify().fault
    assert fault is not None
    assert fault.sequence == 1
    assert "key" in fault.explanation


def test_recording_costs_one_statement(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        record(action="a.b", actor=system("x"), target="t", tenant_id=ACME)
