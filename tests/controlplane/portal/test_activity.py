"""The tenant's own log: whole, operators' acts among it, and nothing of anybody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from controlplane.portal import activity_words
from core.actors import Actor, ActorKind, operator
from core.audit import triggers
from core.audit.proof import check_proof
from core.audit.rows import keyring
from core.audit.sealing import seal
from core.audit.services import record
from tests.controlplane.portal.people import signed_in

if TYPE_CHECKING:
    from redis import Redis

    from tenants.members.models import Member
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)
ACTIVITY, PROOF = "/portal/acme/activity/", "/portal/acme/activity/proof/"


@pytest.fixture(autouse=True)
def _forgotten(clean_redis: Redis) -> None:
    cache.clear()


def happened(tenant: Tenant, action: str = "key.rotated", *, actor: Actor | None = None, **values: Any) -> None:
    with transaction.atomic():
        record(action=action, actor=actor or operator("olga", "Olga Lindqvist"), target=tenant.pk, tenant_id=tenant.pk, **values)


def test_operators_acts_are_shown_with_their_reason(admin: Member, acme: Tenant) -> None:
    happened(acme, "tenant.suspended", reason="The bill is open, ticket 4711")
    happened(acme, actor=Actor(ActorKind.MEMBER, admin.pk), details={"name": "Course player", "number": 2})
    page = signed_in(admin).get(ACTIVITY).content.decode()
    assert "Operator Olga Lindqvist" in page
    assert "The bill is open, ticket 4711" in page
    assert "Rotated a key: Course player" in page
    assert admin.name in page


def test_nothing_of_another_tenants_is_shown_or_proven(owner: Member, acme: Tenant, globex: Tenant) -> None:
    happened(acme, reason="ours")
    happened(globex, reason="theirs alone")
    client = signed_in(owner)
    page = client.get(ACTIVITY).content.decode()
    assert "ours" in page
    assert "theirs alone" not in page
    body = b"".join(client.get("/portal/acme/activity/proof.json").streaming_content).decode()
    assert "theirs alone" not in body
    assert globex.pk not in body


def test_it_is_filtered_and_paged(owner: Member, acme: Tenant) -> None:
    for number in range(60):
        happened(acme, reason=f"act {number}.")
    happened(acme, "member.invited", actor=Actor(ActorKind.MEMBER, owner.pk), details={"role": "developer"})
    client = signed_in(owner)

    def shown(query: str) -> list[str]:
        return [line.what + line.reason for line in client.get(f"{ACTIVITY}?{query}").context_data["lines"]]

    first = client.get(ACTIVITY)
    older = shown(first.context_data["older"])
    assert (len(shown("")), len(older)) == (25, 25)
    assert not set(shown("")) & set(older)
    assert shown("what=member") == shown("who=member") == ["Member invited"]
    assert len(shown("what=nonsense&who=nobody&before=x")) == 25
    assert client.get(f"{ACTIVITY}?what=tenant").status_code == 200


def test_it_is_for_those_who_answer_for_the_tenant(developer: Member, viewer: Member) -> None:
    for member in (developer, viewer):
        client = signed_in(member)
        for path in (ACTIVITY, PROOF, "/portal/acme/activity/proof.json"):
            assert client.get(path).status_code == 403
        assert client.post(PROOF).status_code == 403


def test_a_whole_chain_is_called_whole_and_a_broken_one_broken(owner: Member, acme: Tenant) -> None:
    for number in range(3):
        happened(acme, reason=f"act {number}")
    client = signed_in(owner)
    assert "not checked in the last day" in client.get(PROOF).content.decode()
    assert "Whole." in client.post(PROOF, follow=True).content.decode()
    triggers.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET reason = 'nothing' WHERE tenant_id = %s AND tenant_sequence = 2", [acme.pk])
    triggers.install(connection)
    assert "Whole." in client.post(PROOF, follow=True).content.decode(), "it is walked once in half a minute"
    cache.clear()
    page = unescape(client.post(PROOF, follow=True).content.decode())
    assert "Broken." in page
    assert "entry 2: what it says is not what was recorded" in page
    assert "found broken" in client.get(ACTIVITY).content.decode()


def test_the_proof_holds_and_the_few_lines_of_the_page_check_it(owner: Member, acme: Tenant, tmp_path: Path) -> None:
    client = signed_in(owner)

    def download(name: str) -> Path:
        answer = client.get("/portal/acme/activity/proof.json")
        assert answer["Content-Type"] == "application/json"
        assert "no-store" in answer["Cache-Control"]
        (tmp_path / name).write_bytes(b"".join(answer.streaming_content))
        return tmp_path / name

    happened(acme, reason="first")
    happened(acme, reason="second")
    seal()
    kept = download("kept.json")
    happened(acme, reason="third")
    now = download("now.json")
    assert check_proof(json.loads(now.read_text()), keyring()) == ""
    page = client.get(PROOF).content.decode()
    lines = unescape(page.split('<pre tabindex="0"><code>')[1].split("</code></pre>")[0])
    (tmp_path / "check.py").write_text(lines)

    def check(*files: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, tmp_path / "check.py", *files], capture_output=True, text=True, check=False)

    assert check(now, kept).stdout.startswith("whole: 3 entries, head ")
    spoilt = json.loads(now.read_text())
    spoilt["entries"][0]["recorded"]["reason"] = "another"
    (tmp_path / "spoilt.json").write_text(json.dumps(spoilt))
    assert "rewritten since" in check(tmp_path / "spoilt.json", kept).stderr
    del spoilt["entries"][-1]
    (tmp_path / "spoilt.json").write_text(json.dumps(spoilt))
    assert "the end is cut off" in check(tmp_path / "spoilt.json").stderr


def test_an_act_without_words_is_said_in_those_it_was_recorded_in() -> None:
    assert activity_words.what("webhook.paused", {}) == "Webhook paused"
    assert activity_words.what("operation.succeeded", {"kind": "change_tier"}) == "Change tier: succeeded"
    assert activity_words.particulars({"number": 3, "to": "rotate", "secret_stuff": "x"}) == "version 3, to rotate"
