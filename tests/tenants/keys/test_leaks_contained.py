"""What becomes of a leaked key, by policy, stage and state; and the clock's rotation after it, through the real store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from core.outbox.models import OutboxEvent
from tenants.keys import containment, rotation, services, tending
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests import faults
from tests.tenants.keys.leaked import key_row, leaking, version_row
from tests.tenants.keys.test_leaks import report
from tests.tenants.keys.world import OLGA, StoreEyes

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def issue(tenant: Tenant, **fields: Any) -> services.IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=tenant.pk, name="ingest", **fields)


def done(key: ApiKey) -> list[str]:
    events = OutboxEvent.objects.filter(type="key.leaked", subject=key.pk).order_by("pk")
    return [event.data["done"] for event in events]


def stage_of(text: str) -> str:
    version = verify(text).version
    return version.stage if version else ""


def test_to_revoke_ends_the_key_at_once_and_its_secret_by_the_clock(acme: Tenant, store_eyes: StoreEyes) -> None:
    issued = issue(acme)
    assert report(issued.text) == [True]
    assert verify(issued.text).code is Code.NOT_FOUND
    assert store_eyes.stages(issued.key) != {}
    assert tending.settle_stores() == 1
    assert store_eyes.stages(issued.key) == {}
    assert (done(issued.key), ApiKey.objects.get(pk=issued.key.pk).state) == (["revoked"], "revoked")


def test_to_rotate_gives_an_hour_and_the_clock_makes_the_successor(globex: Tenant, store_eyes: StoreEyes) -> None:
    leaking(globex, "rotate")
    issued = issue(globex)
    report(issued.text)
    version = KeyVersion.objects.get(pk=issued.version.pk)
    assert timedelta(minutes=59) < version.expires_at - timezone.now() <= HOUR
    assert verify(issued.text).code is Code.VALID
    assert tending.rotate_due() == 1
    successor = store_eyes.text(issued.key)
    assert successor != issued.text
    assert [verify(text).code for text in (issued.text, successor)] == [Code.VALID, Code.VALID]
    assert store_eyes.faults(issued.key) == []
    assert tending.rotate_due() == 0
    with time_machine.travel(timezone.now() + HOUR + timedelta(seconds=1)):
        assert [verify(text).code for text in (issued.text, successor)] == [Code.EXPIRED, Code.VALID]


def test_a_report_never_gives_a_longer_life(acme: Tenant) -> None:
    leaking(acme, "rotate")
    key = key_row(acme)
    ends_at = timezone.now() + timedelta(minutes=10)
    text = version_row(key, expires_at=ends_at)
    report(text)
    assert key.versions.get().expires_at == ends_at


def test_while_aws_is_away_the_leaked_text_ends_all_the_same(acme: Tenant) -> None:
    leaking(acme, "rotate")
    issued = issue(acme)
    report(issued.text)
    with faults.inject("secretsmanager", "PutSecretValue", error="outage", times=None):
        assert tending.rotate_due() == 0
    key = ApiKey.objects.get(pk=issued.key.pk)
    assert key.rotate_due_at is not None
    assert key.rotate_due_at <= timezone.now() + timedelta(minutes=5)
    with time_machine.travel(timezone.now() + HOUR + timedelta(seconds=1)):
        assert verify(issued.text).code is Code.EXPIRED
        assert tending.end_expired() == 1
        assert tending.rotate_due() == 0
    assert ApiKey.objects.get(pk=key.pk).state == "expired"


def test_when_aws_comes_back_in_time_the_key_lives(acme: Tenant, store_eyes: StoreEyes) -> None:
    leaking(acme, "rotate")
    issued = issue(acme)
    report(issued.text)
    with faults.inject("secretsmanager", "PutSecretValue", error="outage", times=None):
        assert tending.rotate_due() == 0
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        assert tending.rotate_due() == 1
        assert verify(store_eyes.text(issued.key)).code is Code.VALID


def test_a_leaked_previous_version_ends_now_and_its_successor_goes_on(acme: Tenant, store_eyes: StoreEyes) -> None:
    leaking(acme, "rotate")
    first = issue(acme)
    second = rotation.rotate_key(actor=OLGA, tenant_id=acme.pk, key_id=first.key.pk, overlap=timedelta(days=1))
    report(first.text)
    assert [verify(text).code for text in (first.text, second.text)] == [Code.EXPIRED, Code.VALID]
    assert (done(first.key), tending.rotate_due()) == (["retired"], 0)
    tending.settle_stores()
    assert store_eyes.faults(first.key) == []


def test_a_leaked_current_version_takes_its_predecessor_along(acme: Tenant) -> None:
    leaking(acme, "rotate")
    key = key_row(acme)
    previous, current = version_row(key, "previous"), version_row(key, number=2)
    report(current)
    assert [verify(text).code for text in (previous, current)] == [Code.EXPIRED, Code.VALID]


def test_both_versions_in_one_report(acme: Tenant) -> None:
    leaking(acme, "rotate")
    key = key_row(acme)
    previous, current = version_row(key, "previous"), version_row(key, number=2)
    assert report(current, previous) == [True, True]
    assert sorted(done(key)) == ["retired", "rotating"]
    assert verify(previous).code is Code.EXPIRED


def test_a_pending_version_that_leaks_is_dropped(acme: Tenant) -> None:
    leaking(acme, "rotate")
    key = key_row(acme)
    current, pending = version_row(key), version_row(key, "pending", number=2)
    report(pending)
    assert [stage_of(text) for text in (current, pending)] == ["current", "retired"]
    assert done(key) == ["retired"]


@pytest.mark.parametrize("state", ["disabled", "issuing"])
def test_a_key_that_cannot_be_rotated_is_revoked(acme: Tenant, state: str) -> None:
    leaking(acme, "rotate")
    key = key_row(acme, state=state)
    text = version_row(key, "current" if state == "disabled" else "pending")
    report(text)
    key.refresh_from_db()
    assert (key.state, done(key)) == ("revoked", ["revoked"])


def test_a_second_report_leaves_the_time_that_the_first_has_given(acme: Tenant) -> None:
    leaking(acme, "rotate")
    issued = issue(acme)
    report(issued.text, body="first")
    tending.rotate_due()
    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        report(issued.text, body="second")
        assert verify(issued.text).code is Code.VALID
        assert done(issued.key) == ["rotating", "nothing"]


def test_a_version_whose_time_is_over_does_not_cost_the_key_its_life(acme: Tenant) -> None:
    key = key_row(acme)
    past = timezone.now() - timedelta(seconds=1)
    over = version_row(key, "previous", retires_at=past, issued_at=past - HOUR)
    current = version_row(key, number=2)
    report(over)
    assert (done(key), verify(current).code) == (["nothing"], Code.VALID)


def test_a_suspended_tenant_s_key_does_not_come_back(acme: Tenant) -> None:
    leaking(acme, "rotate")
    text = version_row(key_row(acme))
    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    report(text)
    assert tending.rotate_due() == 0
    Tenant.objects.filter(pk=acme.pk).update(state="active")
    with time_machine.travel(timezone.now() + HOUR + timedelta(seconds=1)):
        assert verify(text).code is Code.EXPIRED


def test_a_rotation_under_way_replaces_the_leaked_version_within_the_hour(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    leaking(acme, "rotate")
    first = issue(acme)
    from tenants.keys import making

    put, seen = making.store.put_pending, []

    def put_and_leak(*args: Any) -> Any:
        seen.append(report(first.text))
        return put(*args)

    monkeypatch.setattr(making.store, "put_pending", put_and_leak)
    second = rotation.rotate_key(actor=OLGA, tenant_id=acme.pk, key_id=first.key.pk, overlap=timedelta(days=1))
    assert seen == [[True]]
    assert tending.rotate_due() == 0
    with time_machine.travel(timezone.now() + HOUR + timedelta(seconds=1)):
        assert [verify(text).code for text in (first.text, second.text)] == [Code.EXPIRED, Code.VALID]


def test_later_rotations_spare_what_an_old_leak_does_not_concern(acme: Tenant) -> None:
    """A key once leaked keeps ``leaked_at``; the clock must not end predecessors early for ever because of it."""
    leaking(acme, "rotate")
    issued = issue(acme)
    report(issued.text)
    key = ApiKey.objects.get(pk=issued.key.pk)
    assert containment.concerns_current(key)
    tending.rotate_due()
    key.refresh_from_db()
    assert key.leaked_at is not None
    assert not containment.concerns_current(key)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        tending.end_overlaps()
        third = rotation.rotate_key(actor=OLGA, tenant_id=acme.pk, key_id=key.pk, overlap=timedelta(days=1))
        ApiKey.objects.filter(pk=key.pk).update(rotate_due_at=timezone.now())
        previous = key.versions.get(stage="previous")
        assert tending.rotate_due() == 0, "a scheduled rotation waits for a predecessor that still works"
        previous.refresh_from_db()
        assert (previous.stage, verify(third.text).code) == ("previous", Code.VALID)
