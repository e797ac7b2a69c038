"""Whatever is done to the chain behind the triggers, the verifier names the first bad entry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import models, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.audit.faults import Fault, FaultKind
from core.audit.models import AuditEvent, AuditHead
from core.audit.sealing import seal
from core.audit.verify import verify
from tests.core.audit_chains import ACME, LENGTH, behind_the_triggers, delete, rows, set_head, stored, tamper, write

pytestmark = pytest.mark.django_db
COLUMNS = sorted(field.attname for field in AuditEvent._meta.concrete_fields)
positions = st.integers(min_value=0, max_value=LENGTH - 1)
in_one_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@contextmanager
def undone() -> Iterator[None]:
    """One example of many on the same chain."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def chain() -> list[AuditEvent]:
    return write()


def fault(tenant_id: str | None = None) -> Fault:
    found = verify(tenant_id=tenant_id, anchors=False).fault
    assert found is not None, "the tampering was not found"
    return found


def other_value(event: AuditEvent, column: str) -> Any:
    """Another plausible value of the column: what an attacker would write."""
    value, field = getattr(event, column), AuditEvent._meta.get_field(column)
    if isinstance(field, (models.BigIntegerField, models.BigAutoField)):
        return (value or 0) + 1000
    if isinstance(field, models.DateTimeField):
        return value + timedelta(microseconds=1)
    if column == "tenant_id":
        return "tnt_01j9zc3v5m8k2q4r6t8w0y1a3z"
    if column.endswith(("hash", "mac", "key_id")) and value:
        return ("0" if value[0] != "0" else "1") + value[1:]
    return value + "x"


def test_an_untouched_chain_is_whole(chain: list[AuditEvent]) -> None:
    verdict = verify()
    assert verdict.ok
    assert (verdict.checked, verdict.head_sequence, verdict.head_hash) == (LENGTH, LENGTH, chain[-1].hash)
    assert verify(tenant_id=ACME).checked == 3


def test_an_empty_log_is_whole() -> None:
    assert verify().ok
    assert verify(tenant_id=ACME).ok


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_of_any_entry_is_named(chain: list[AuditEvent], column: str) -> None:
    for event in chain:
        with undone():
            tamper(event, **{column: other_value(event, column)})
            found = fault()
            assert found.sequence == event.sequence
            assert found.kind in {FaultKind.CHANGED, FaultKind.REORDERED}
            if column != "public_id":
                assert found.id == event.id


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - {"position", "sequence", "previous_hash", "hash"}))
def test_a_tenants_own_chain_names_it_too(chain: list[AuditEvent], column: str) -> None:
    for event in (e for e in chain if e.tenant_id == ACME):
        with undone():
            tamper(event, **{column: other_value(event, column)})
            found = fault(ACME)
            assert found.sequence == event.tenant_sequence
            if column != "public_id":
                assert found.id == event.id


@given(
    data=st.data(),
    at=positions,
    column=st.sampled_from(["reason", "actor_id", "details_json", "target", "action"]),
    text=st.text(min_size=1, max_size=80),
)
@in_one_test
def test_any_other_text_is_found(chain: list[AuditEvent], data: st.DataObject, at: int, column: str, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode().replace("\x00", "")
    if text == getattr(chain[at], column):
        return
    with undone():
        tamper(chain[at], **{column: text})
        assert (fault().sequence, fault().id, fault().kind) == (at + 1, chain[at].id, FaultKind.CHANGED)


@pytest.mark.parametrize("at", [0, 1, LENGTH // 2, LENGTH - 2])
def test_a_deleted_entry_is_named_by_its_number(chain: list[AuditEvent], at: int) -> None:
    delete(chain[at])
    assert (fault().sequence, fault().kind, fault().id) == (at + 1, FaultKind.MISSING, "")


@given(cut=st.integers(min_value=1, max_value=LENGTH))
@in_one_test
def test_a_cut_tail_is_named_by_the_first_entry_that_is_gone(chain: list[AuditEvent], cut: int) -> None:
    with undone():
        delete(*chain[LENGTH - cut :])
        assert (fault().sequence, fault().kind) == (LENGTH - cut + 1, FaultKind.TRUNCATED)


@given(gone=st.sets(positions, min_size=1))
@in_one_test
def test_of_many_deleted_entries_the_first_is_named(chain: list[AuditEvent], gone: set[int]) -> None:
    with undone():
        delete(*(chain[at] for at in gone))
        assert fault().sequence == min(gone) + 1


def test_deleting_a_tenants_last_entry_breaks_both_chains(chain: list[AuditEvent]) -> None:
    last = [event for event in chain if event.tenant_id == ACME][-1]
    delete(last)
    assert (fault(ACME).sequence, fault(ACME).kind) == (3, FaultKind.TRUNCATED)
    assert fault().sequence == last.sequence


def test_new_entries_do_not_heal_a_cut_tail(chain: list[AuditEvent]) -> None:
    delete(chain[-1])
    write(2)
    assert (fault().sequence, fault().kind) == (LENGTH, FaultKind.MISSING)


@given(first=positions, second=positions)
@in_one_test
def test_two_entries_that_change_places_are_named(chain: list[AuditEvent], first: int, second: int) -> None:
    if first == second:
        return
    low, high = sorted((first, second))
    with undone():
        with behind_the_triggers():
            for event, number in ((chain[low], 10_000), (chain[high], low + 1), (chain[low], high + 1)):
                rows().filter(pk=event.pk).update(sequence=number)
        assert (fault().sequence, fault().id, fault().kind) == (low + 1, chain[high].id, FaultKind.REORDERED)


@given(first=positions, second=positions)
@in_one_test
def test_two_entries_that_change_places_with_all_their_links_are_named(chain: list[AuditEvent], first: int, second: int) -> None:
    """The attacker also swaps the hashes, so that each link fits its neighbours by name."""
    if first == second:
        return
    low, high = sorted((first, second))
    seal_of = ("sequence", "previous_hash", "hash")
    places = {event.pk: {name: getattr(event, name) for name in seal_of} for event in (chain[low], chain[high])}
    with undone():
        with behind_the_triggers():
            rows().filter(pk__in=places).update(sequence=None)
            rows().filter(pk=chain[high].pk).update(**places[chain[low].pk])
            rows().filter(pk=chain[low].pk).update(**places[chain[high].pk])
        assert (fault().sequence, fault().id) == (low + 1, chain[high].id)


def forged(like: AuditEvent, **changes: Any) -> AuditEvent:
    """An entry as somebody without the key would make it: copied, with codes that look right."""
    values = {field.attname: getattr(like, field.attname) for field in AuditEvent._meta.concrete_fields}
    values |= {"position": 5_000, "public_id": "aud_01j9zc3v5m8k2q4r6t8w0y1a3b", "hash": "a" * 64, "tenant_id": None, **changes}
    values |= {"tenant_sequence": None, "tenant_hash": "", "tenant_previous_hash": ""}
    return AuditEvent(**values)


@given(at=st.integers(min_value=0, max_value=LENGTH))
@in_one_test
def test_a_forged_entry_is_named_wherever_it_is_put(chain: list[AuditEvent], at: int) -> None:
    with undone():
        with behind_the_triggers():
            for event in reversed(chain[at:]):
                rows().filter(pk=event.pk).update(sequence=event.sequence + 1)
            before = chain[at - 1] if at else None
            forgery = forged(chain[0], sequence=at + 1, previous_hash=before.hash if before else "", reason="forged")
            models.QuerySet(AuditEvent).bulk_create([forgery])
        set_head("*", sequence=LENGTH + 1, **({"hash": "a" * 64} if at == LENGTH else {}))
        assert (fault().sequence, fault().id, fault().kind) == (at + 1, forgery.public_id, FaultKind.INSERTED)


def test_a_forged_entry_behind_the_head_is_named(chain: list[AuditEvent]) -> None:
    forgery = forged(chain[0], sequence=LENGTH + 1, previous_hash=chain[-1].hash)
    models.QuerySet(AuditEvent).bulk_create([forgery])  # the triggers let anybody insert
    assert (fault().sequence, fault().id, fault().kind) == (LENGTH + 1, forgery.public_id, FaultKind.INSERTED)


def test_a_forged_entry_that_waits_for_its_seal_is_named_and_never_sealed(chain: list[AuditEvent]) -> None:
    forgery = forged(chain[0], sequence=None, hash="", previous_hash="")
    models.QuerySet(AuditEvent).bulk_create([forgery])
    assert seal() == 0
    assert (fault().sequence, fault().id) == (None, forgery.public_id)


def test_an_entry_that_lost_its_number_is_named(chain: list[AuditEvent]) -> None:
    tamper(chain[3], sequence=None)
    assert (fault().sequence, fault().id) == (4, chain[3].id)


def test_an_entry_from_before_a_restored_backup_is_named(chain: list[AuditEvent]) -> None:
    """Genuine in itself: the key signed it, on a branch of history that is no longer the one."""
    old = chain[-1]
    delete(old)
    with behind_the_triggers():
        AuditHead.objects.all().delete()
        AuditHead.objects.create(chain="*", sequence=LENGTH - 1, hash=chain[-2].hash)
        for tenant in {event.tenant_id for event in chain if event.tenant_id}:
            last = [event for event in stored() if event.tenant_id == tenant][-1]
            AuditHead.objects.create(chain=tenant, sequence=last.tenant_sequence or 0, hash=last.tenant_hash)
    write(2)
    new = stored()
    delete(new[-2])
    with behind_the_triggers():
        models.QuerySet(AuditEvent).bulk_create([old])
    assert (fault().sequence, fault().id, fault().kind) == (LENGTH + 1, new[-1].id, FaultKind.REORDERED)


@pytest.mark.parametrize(
    ("chain_name", "changes"),
    [("*", {"hash": "b" * 64}), ("*", {"sequence": LENGTH - 2}), (ACME, {"sequence": 2}), (ACME, {"hash": "b" * 64})],
)
def test_a_changed_head_is_found(chain: list[AuditEvent], chain_name: str, changes: dict[str, Any]) -> None:
    set_head(chain_name, **changes)
    assert fault().kind is FaultKind.HEAD
    if chain_name == ACME:
        assert fault(ACME).kind is FaultKind.HEAD


@pytest.mark.parametrize("chain_name", ["*", ACME])
def test_a_head_that_is_gone_is_found(chain: list[AuditEvent], chain_name: str) -> None:
    with behind_the_triggers():
        AuditHead.objects.filter(chain=chain_name).delete()
    assert fault().kind is FaultKind.HEAD


def test_a_chain_rewritten_without_the_key_is_found_at_its_first_entry(chain: list[AuditEvent]) -> None:
    from core.audit.chain import Keyring, entry_code, global_hash
    from core.audit.rows import content_of, place_of

    ring, previous = Keyring(b"a key that the attacker made up!!"), ""
    with behind_the_triggers():
        for event in chain:
            event.reason, event.key_id, event.previous_hash = "rewritten", ring.current_id, previous
            event.entry_mac = entry_code(ring, content_of(event))
            previous = event.hash = global_hash(
                ring, event.key_id, place=place_of(event, number=event.sequence or 0), code=event.entry_mac
            )
            names = ("reason", "key_id", "previous_hash", "entry_mac", "hash")
            rows().filter(pk=event.pk).update(**{name: getattr(event, name) for name in names})
    set_head("*", hash=previous)
    assert fault().sequence == 1


def test_progress_is_told(chain: list[AuditEvent], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.audit.verify.PROGRESS_EVERY", 4)
    told: list[tuple[int, int]] = []
    verify(progress=lambda checked, total: told.append((checked, total)))
    assert told == [(4, LENGTH), (8, LENGTH), (LENGTH, LENGTH)]
