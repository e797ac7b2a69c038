"""The witness outside the database, the command, and the log's readers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import models
from django.test import override_settings

from core.audit import tasks
from core.audit.anchors import FOLDER
from core.audit.faults import FaultKind
from core.audit.models import AuditEvent, AuditHead
from core.audit.selectors import get_event, list_events
from core.audit.verify import verify
from core.errors import NotFoundError
from tests.core.audit_chains import ACME, GLOBEX, LENGTH, behind_the_triggers, delete, tamper, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(tmp_path: Path) -> Iterator[Path]:
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    with override_settings(STORAGES={"default": files, "staticfiles": files}):
        yield tmp_path


def cut(count: int) -> None:
    """What somebody does who owns the database: drops the tail, and moves both kinds of head back to genuine links."""
    events = list(AuditEvent.objects.order_by("sequence"))
    delete(*events[-count:])
    left = events[:-count]
    with behind_the_triggers():
        AuditHead.objects.all().delete()
        AuditHead.objects.create(chain="*", sequence=len(left), hash=left[-1].hash)
        for tenant in {event.tenant_id for event in left if event.tenant_id}:
            last = [event for event in left if event.tenant_id == tenant][-1]
            AuditHead.objects.create(chain=tenant, sequence=last.tenant_sequence or 0, hash=last.tenant_hash)


def test_anchors_are_written_once_for_each_head() -> None:
    assert tasks.anchor() == ""
    write()
    assert tasks.anchor() == tasks.anchor()
    write(1)
    tasks.anchor()
    _, names = default_storage.listdir(FOLDER)
    assert len(names) == 2
    assert verify().anchors == 2
    assert verify().ok


def test_a_tail_cut_off_with_its_head_is_found_by_the_anchor_alone() -> None:
    write()
    tasks.anchor()
    cut(3)
    assert verify(anchors=False).ok, "without a witness this cannot be seen, which is why there is one"
    found = verify().fault
    assert found is not None
    assert (found.sequence, found.kind) == (LENGTH - 2, FaultKind.TRUNCATED)


def test_a_tail_that_was_written_anew_is_found_at_the_anchored_entry() -> None:
    write()
    tasks.anchor()
    cut(3)
    write(6)
    assert verify(anchors=False).ok
    found = verify().fault
    assert found is not None
    assert (found.sequence, found.kind) == (LENGTH, FaultKind.ANCHOR)


def test_anchoring_a_rewritten_chain_keeps_the_older_witness() -> None:
    write()
    tasks.anchor()
    cut(1)
    write(1)
    tasks.anchor()
    verdict = verify()
    assert verdict.fault is not None
    assert verdict.fault.sequence == LENGTH
    assert any("anchored twice" in note for note in verdict.notes)


def test_an_object_that_we_did_not_write_proves_nothing_and_is_told(storage: Path) -> None:
    write()
    tasks.anchor()
    folder = storage / FOLDER
    genuine = next(folder.iterdir())
    body = json.loads(genuine.read_text())
    (folder / f"{99:020d}-{'a' * 64}.json").write_text(json.dumps({**body, "sequence": 99, "hash": "a" * 64}))
    (folder / "rubbish.json").write_text("{")
    verdict = verify()
    assert verdict.ok
    assert verdict.anchors == 1
    assert len(verdict.notes) == 2


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", *arguments, stdout=out, stderr=StringIO(), no_color=True)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_the_log_is_whole() -> None:
    write()
    code, told = run("verify")
    assert code == 0
    assert f"whole: {LENGTH} entries" in told
    assert run("verify", "--tenant", ACME) == (
        0,
        f"the audit log of {ACME} is whole: 3 entries\nhead 3 {verify(tenant_id=ACME).head_hash}\n",
    )


def test_the_command_seals_what_waits_before_it_verifies() -> None:
    write(2)
    from django.db import transaction

    from core.actors import system
    from core.audit.services import record

    with transaction.atomic():
        record(action="a.b", actor=system("x"), target="t")
    assert "whole: 3 entries" in run("verify")[1]
    assert run("anchor")[1].startswith("anchored entry 3 as audit/anchors/")


def test_the_command_names_the_bad_entry_and_exits_with_one() -> None:
    event = write()[4]
    tamper(event, reason="another")
    code, told = run("verify", "--no-anchors")
    assert code == 1
    assert f"broken at entry 5 {event.id}" in told
    assert "what it says is not what was recorded" in told


def test_the_command_speaks_json() -> None:
    event = write()[4]
    tamper(event, reason="another")
    code, told = run("verify", "--json")
    verdict = json.loads(told)
    assert code == 1
    assert verdict["ok"] is False
    assert verdict["fault"]["id"] == event.id
    assert verdict["fault"]["kind"] == "changed"


@pytest.mark.parametrize("tenant", ["acme", "tnt_x", "*"])
def test_the_command_refuses_what_is_not_a_tenants_id(tenant: str) -> None:
    with pytest.raises(CommandError) as caught:
        run("verify", "--tenant", tenant)
    assert caught.value.returncode == 2


def test_events_are_found_by_every_filter() -> None:
    events = write()
    assert [event.id for event in list_events()] == [event.id for event in reversed(events)]
    assert list_events(tenant_id=ACME).count() == 3
    assert list_events(action="tenant.*").count() == LENGTH
    assert list_events(action="tenant.suspended", actor="ada").count() == 4
    assert list_events(actor="system:sweep").count() == 5
    assert list_events(actor="operator:sweep").count() == 0
    assert list_events(target="tenant 3", outcome="succeeded", correlation_id="req_3").count() == 1
    assert list_events(before=events[2].position).count() == 2
    assert list_events(since=events[4].recorded_at).count() == 5
    assert list_events(until=events[4].recorded_at).count() == 4


def test_a_tenant_sees_no_event_of_another() -> None:
    events = write()
    others = [event for event in events if event.tenant_id != ACME]
    assert not {event.id for event in list_events(tenant_id=ACME)} & {event.id for event in others}
    for event in others:
        with pytest.raises(NotFoundError):
            get_event(event.id, tenant_id=ACME)
    assert get_event(others[0].id, tenant_id=GLOBEX) == others[0]


def test_an_entry_copied_under_another_tenant_is_not_believed() -> None:
    copy = write()[0]
    copy.pk, copy.public_id, copy.tenant_id = None, "aud_01j9zc3v5m8k2q4r6t8w0y1a3b", GLOBEX
    copy.sequence = copy.tenant_sequence = 50
    models.QuerySet(AuditEvent).bulk_create([copy])
    found = verify(tenant_id=GLOBEX).fault
    assert found is not None
    assert found.id == copy.public_id
