"""Reports of leaked keys: what is real, what it costs to find out, and that one report is one transaction."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.audit.models import AuditEvent
from core.outbox.models import OutboxEvent
from tenants.keys import leaks, tokens
from tenants.keys.models import ApiKey, KeyVersion, LeakReport
from tenants.keys.scanners import Finding
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.cast import ready_cell
from tests.tenants.keys.leaked import key_row, leaking, version_row
from tests.tenants.keys.world import new_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Tenant:
    """Rows alone: no report asks anything of AWS."""
    return new_tenant(ready_cell(), "acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return new_tenant(acme.cell, "globex", tier="premium")


def report(*found: str | Finding, body: str = "") -> list[bool]:
    findings = [Finding(one, "cpk", "https://github.com/a/b", "content") if isinstance(one, str) else one for one in found]
    digest = hashlib.sha256((body or repr([finding.text for finding in findings])).encode()).hexdigest()
    return leaks.take_report(actor=leaks.GITHUB, body_digest=digest, findings=findings)


def typo(text: str) -> str:
    return text[:-1] + ("A" if text[-1] != "A" else "B")


def unknown() -> str:
    return tokens.new_token("cpk", "live").text


def test_a_real_key_is_told_from_look_alikes_in_the_order_of_the_report(acme: Tenant) -> None:
    text = version_row(key_row(acme))
    same_start = tokens.new_token("cpk", "live", public_id=text.split("_")[2]).text
    assert report(unknown(), text, typo(text), same_start, text, "not a key") == [False, True, False, False, True, False]
    assert verify(text).code is Code.NOT_FOUND


def test_a_key_of_another_brand_and_an_imported_one_are_ours_too(acme: Tenant) -> None:
    old_brand = version_row(key_row(acme, brand="oldname"))
    foreign = version_row(key_row(acme), text="sk_foreign_4eC39HqLyjWDarjtT1zdp7dc")
    assert report(old_brand, foreign, "sk_foreign_another_one_of_theirs") == [True, True, False]
    assert set(ApiKey.objects.values_list("state", flat=True)) == {"revoked"}


def test_what_has_ended_is_a_true_positive_and_nothing_is_done(acme: Tenant) -> None:
    key = key_row(acme)
    retired, current = version_row(key, "retired"), version_row(key, number=2)
    over = key_row(acme, state="revoked", ended_at=key.created_at)
    ended = version_row(over, "retired")
    assert report(retired, ended) == [True, True]
    key.refresh_from_db()
    assert (key.state, key.leaked_at, verify(current).code) == ("active", None, Code.VALID)
    told = OutboxEvent.objects.filter(type="key.leaked").values_list("data", flat=True)
    assert [data["done"] for data in told] == ["nothing", "nothing"]


def test_a_version_whose_pepper_was_dropped_is_nobody_s(acme: Tenant, settings: Any) -> None:
    text = version_row(key_row(acme))
    settings.KEY_PEPPERS = {2: b"another pepper, of thirty-two bytes and more"}
    assert report(text) == [False]


def test_a_wrong_checksum_costs_no_query(acme: Tenant) -> None:
    text = version_row(key_row(acme))
    with CaptureQueriesContext(connection) as seen:
        assert leaks.find_versions([typo(text) for _ in range(50)] + ["short"]) == {}
    assert len(seen) == 0


def test_what_is_not_real_costs_a_bounded_number_of_queries(acme: Tenant) -> None:
    version_row(key_row(acme))
    few = [typo(unknown()) for _ in range(7)] + [unknown() for _ in range(2)]
    many = [typo(unknown()) for _ in range(700)] + [unknown() for _ in range(200)]
    counts = []
    for texts in (few, many):
        with CaptureQueriesContext(connection) as seen:
            assert report(*texts) == [False] * len(texts)
        counts.append([query["sql"].split()[0] for query in seen if query["sql"].split()[0] in ("SELECT", "INSERT", "UPDATE")])
    assert counts == [["SELECT", "SELECT", "INSERT", "INSERT"]] * 2  # taken before? whose? the report; its audit entry
    with CaptureQueriesContext(connection) as seen:
        leaks.find_versions([unknown() for _ in range(leaks.CHUNK + 1)])
    assert len(seen) == 2


def test_a_mixed_batch(acme: Tenant, globex: Tenant) -> None:
    leaking(globex, "rotate")
    real = [version_row(key_row(tenant)) for tenant in (acme, globex) for _ in range(5)]
    texts = [text for one in real for text in (typo(one), unknown(), one)]
    assert report(*texts) == [False, False, True] * 10
    assert ApiKey.objects.filter(tenant=acme, state="revoked").count() == 5
    assert ApiKey.objects.filter(tenant=globex, state="active", rotate_due_at__isnull=False).count() == 5
    row = LeakReport.objects.get()
    assert (row.source, row.tokens, row.real) == ("github-secret-scanning", 30, 10)


def test_the_same_body_is_taken_once(acme: Tenant) -> None:
    text = version_row(key_row(acme))
    assert report(text) == [True]
    events = OutboxEvent.objects.count()
    with pytest.raises(leaks.ReportTakenError):
        report(text)
    assert (OutboxEvent.objects.count(), LeakReport.objects.count()) == (events, 1)


def test_two_at_once_with_the_same_body_are_told_apart_by_the_database(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = version_row(key_row(acme)), version_row(key_row(acme))
    report(first, body="one")

    class Nothing:
        def exists(self) -> bool:
            return False

    monkeypatch.setattr(LeakReport.objects, "filter", lambda **_: Nothing())
    with pytest.raises(leaks.ReportTakenError):
        report(second, body="one")
    assert verify(second).code is Code.VALID


def test_a_report_is_carried_out_whole_or_not_at_all(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [version_row(key_row(acme)) for _ in range(3)]
    tell = leaks.endings.tell

    def fail_at_the_last(key: ApiKey, what: str, *rest: Any) -> None:
        if what == "key.leaked" and OutboxEvent.objects.filter(type=what).count() == 2:
            raise RuntimeError("the process died")
        tell(key, what, *rest)

    monkeypatch.setattr(leaks.endings, "tell", fail_at_the_last)
    with pytest.raises(RuntimeError):
        report(*texts)
    assert [verify(text).code for text in texts] == [Code.VALID] * 3
    assert not LeakReport.objects.exists()
    assert not OutboxEvent.objects.exclude(type__startswith="tier.").exists()
    monkeypatch.undo()
    assert report(*texts) == [True] * 3


def test_everybody_is_told_once_and_where(acme: Tenant) -> None:
    key = key_row(acme)
    text = version_row(key)
    urls = ["https://github.com/a/b/blob/c/d.py?x=1#L3", "https://olga:hunter2@gist.github.com/e", ""]
    report(*(Finding(text, "cpk", url, source) for url, source in zip(urls, ("Content", "gist_content", "<b>"), strict=True)))
    event = OutboxEvent.objects.get(type="key.leaked")
    assert (event.subject, event.tenant_id) == (key.pk, acme.pk)
    assert event.data["urls"] == ["https://github.com/a/b/blob/c/d.py", "https://gist.github.com/e"]
    assert event.data["found_in"] == ["content", "gist_content", "unknown"]
    assert (event.data["done"], event.data["findings"]) == ("revoked", 3)
    entry = AuditEvent.objects.get(action="key.leaked")
    assert (entry.actor_kind, entry.actor_id, entry.tenant_id) == ("hook", "github-secret-scanning", acme.pk)
    assert OutboxEvent.objects.get(type="key.revoked").data["because"] == "leaked"


def test_no_text_of_a_key_is_kept_anywhere(acme: Tenant, globex: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    leaking(globex, "rotate")
    texts = [
        version_row(key_row(acme)),
        version_row(key_row(globex)),
        version_row(key_row(acme), text="Foreign4eC39HqLyjWDarjt"),
        unknown(),
    ]
    where = [f"https://github.com/{text}/x" for text in texts] + [f"https://github.com/%{ord(texts[2][0]):x}{texts[2][1:]}"]
    with caplog.at_level("DEBUG"):
        report(*(Finding(text, "cpk", url, text) for text in texts for url in where))
    kept = [caplog.text, *(repr(record.__dict__) for record in caplog.records)]
    for model in (LeakReport, AuditEvent, OutboxEvent, ApiKey, KeyVersion):
        kept += [repr(row) for row in model.objects.values()]
    assert len(kept) > 10
    assert [text[-39:] for text in texts if text[-39:] in "\n".join(kept)] == []
    assert texts[0] not in repr(Finding(texts[0], "cpk", where[0]))
