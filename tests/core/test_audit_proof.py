"""A tenant's chain as a file: whole, its own alone, and good for finding out whatever was done to it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from core.actors import operator
from core.audit import triggers
from core.audit.proof import check_proof, proof_lines
from core.audit.rows import keyring
from core.audit.sealing import seal
from core.audit.services import record
from core.ids import TENANT, new_id

pytestmark = pytest.mark.django_db(transaction=True)


def written(tenant: str, number: int = 3) -> dict[str, Any]:
    """Record acts for a tenant, with another's between them, and give the tenant's file."""
    other = new_id(TENANT)
    for place in range(number):
        with transaction.atomic():
            for who in (tenant, other):
                record(action="key.issued", actor=operator("olga", "Olga"), target="key", tenant_id=who, reason=f"{who} {place}")
    seal()
    return dict(json.loads("".join(proof_lines(tenant))))


def test_a_file_is_whole_and_has_nothing_of_anybody_else() -> None:
    tenant = new_id(TENANT)
    body = written(tenant)
    assert check_proof(body, keyring()) == ""
    assert [entry["number"] for entry in body["entries"]] == [1, 2, 3]
    assert {entry["recorded"]["tenant_id"] for entry in body["entries"]} == {tenant}
    assert json.dumps(body).count("tnt_") == json.dumps(body).count(tenant)
    longer = written(tenant)
    assert longer["entries"][:3] == body["entries"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7])
def test_a_file_that_is_read_in_pieces_has_every_entry_once(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr("core.audit.proof.CHUNK", chunk)
    body = written(new_id(TENANT), 5)
    assert [entry["number"] for entry in body["entries"]] == [1, 2, 3, 4, 5]
    assert check_proof(body, keyring()) == ""


def test_a_file_says_what_is_missing_where_a_whole_piece_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.audit.proof.CHUNK", 2)
    tenant = new_id(TENANT)
    written(tenant, 6)
    triggers.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditevent WHERE tenant_id = %s AND tenant_sequence IN (1, 2, 5, 6)", [tenant])
    triggers.install(connection)
    body = json.loads("".join(proof_lines(tenant)))
    assert [entry["number"] for entry in body["entries"]] == [3, 4]
    assert check_proof(body, keyring()) == "entry 1: it does not follow the one before it"


def test_an_empty_log_is_whole() -> None:
    body = json.loads("".join(proof_lines(new_id(TENANT))))
    assert (body["entries"], body["head"]) == ([], {"number": 0, "hash": ""})
    assert check_proof(body, keyring()) == ""


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda body: body["entries"][1]["recorded"].update(reason="nothing"), "entry 2: what it says is not what was recorded"),
        (lambda body: body["entries"].pop(1), "entry 2: it does not follow"),
        (lambda body: body["entries"].pop(), "the last entry is not the head"),
        (lambda body: body["entries"].reverse(), "entry 1: it does not follow"),
        (lambda body: body["entries"][2].update(hash="0" * 64), "entry 3: its hash is not the one"),
        (lambda body: body["entries"][0]["recorded"].update(key_id="0" * 16), "entry 1: it names the key"),
        (lambda body: body.update(tenant="tnt_other"), "entry 1: it is another tenant's"),
        (lambda body: body.update(format="x"), "this is not an"),
    ],
)
def test_whatever_was_done_to_a_file_is_named(spoil: Any, says: str, tmp_path: Path) -> None:
    body = copy.deepcopy(written(new_id(TENANT)))
    spoil(body)
    assert check_proof(body, keyring()).startswith(says)
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(body))
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "check", str(file))
    assert ended.value.code == 1


def test_the_command_says_that_a_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(written(new_id(TENANT))))
    call_command("audit", "check", str(file))
    assert "holds: 3 entries of tnt_" in capsys.readouterr().out
    file.write_text('{"format": "audit-proof/1"}')
    with pytest.raises(CommandError, match="cannot be read as a proof"):
        call_command("audit", "check", str(file))
