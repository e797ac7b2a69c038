"""Overrides and keys' limits through the services: who, why, until when, and who was first."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from core.audit.models import AuditEvent
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.outbox.models import OutboxEvent
from tenants.limits import selectors, services, tasks
from tenants.limits.effective import KeyLimits, Limited
from tenants.limits.models import KeyLimit, LimitOverride
from tenants.limits.services import StaleLimitError, TenantClosedError, revoke_override, set_key_limit, set_override
from tenants.models import Tenant
from tests.cast import OPERATOR

if TYPE_CHECKING:
    from tenants.keys.models import ApiKey

pytestmark = pytest.mark.django_db


def override(tenant: Tenant, limited: str = "rate_per_second", value: int = 99, **values: Any) -> LimitOverride:
    given = {"actor": OPERATOR, "tenant_id": tenant.pk, "reason": "launch day", **values}
    return set_override(limited=limited, value=value, **given)


def told(tenant: Tenant) -> list[tuple[str, str]]:
    """What the audit log and the outbox hold, which must be the same."""
    audited = list(AuditEvent.objects.filter(tenant_id=tenant.pk).order_by("position").values_list("action", "target"))
    published = list(OutboxEvent.objects.filter(tenant_id=tenant.pk).order_by("position").values_list("type", "subject"))
    assert audited == published
    return audited


def test_an_override_holds_at_once_for_its_tenant_alone(acme: Tenant, globex: Tenant) -> None:
    ends = timezone.now() + timedelta(days=1)
    row = override(acme, expires_at=ends)
    limits = selectors.effective_limits_of([acme, globex])
    assert (limits[acme.pk].rate_per_second, limits[acme.pk].overridden) == (99, {Limited.RATE})
    assert (limits[globex.pk].rate_per_second, limits[globex.pk].overridden) == (250, frozenset())
    assert told(acme) == [("limit.overridden", row.pk)]
    event = AuditEvent.objects.get(target=row.pk)
    assert (event.actor_id, event.reason) == ("olga", "launch day")
    assert (event.details["limited"], event.details["value"]) == ("rate_per_second", 99)
    assert event.details["expires_at"] is not None


def test_it_ends_by_itself_and_the_clock_tells_once(acme: Tenant) -> None:
    row = override(acme, expires_at=timezone.now() + timedelta(hours=1))
    with time_machine.travel(timezone.now() + timedelta(minutes=59)):
        assert services.end_expired() == 0
        assert selectors.effective_limits(acme).rate_per_second == 99
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert selectors.effective_limits(acme).rate_per_second == 10, "before the clock has been there"
        tasks.tend()
        assert services.end_expired() == 0
    assert told(acme)[1:] == [("limit.override_expired", row.pk)]
    row.refresh_from_db()
    assert (row.state, row.ended_by) == ("expired", "system:limits")


def test_a_new_one_takes_the_place_of_the_old_one(acme: Tenant) -> None:
    first = override(acme)
    second = override(acme, value=50, replaces=first.pk)
    assert selectors.effective_limits(acme).rate_per_second == 50
    assert [(row.pk, row.state) for row in selectors.list_overrides(tenant_id=acme.pk)] == [
        (second.pk, "open"),
        (first.pk, "replaced"),
    ]
    assert AuditEvent.objects.get(target=second.pk).details["replaces"] == first.pk


def test_whoever_has_not_seen_the_present_one_is_refused(acme: Tenant) -> None:
    first = override(acme, replaces="")
    for seen in ("", "ovr_01j9zc3v5m8k2q4r6t8w0y1a3b"):
        with pytest.raises(StaleLimitError) as caught:
            override(acme, value=1, replaces=seen)
        assert caught.value.status == 409
    revoke_override(actor=OPERATOR, tenant_id=acme.pk, override_id=first.pk, reason="over")
    with pytest.raises(StaleLimitError):
        override(acme, value=1, replaces=first.pk)
    assert len(told(acme)) == 2


def test_a_revoked_one_no_longer_holds_and_is_revoked_once(acme: Tenant, globex: Tenant) -> None:
    row = override(acme)
    with pytest.raises(NotFoundError):
        revoke_override(actor=OPERATOR, tenant_id=globex.pk, override_id=row.pk, reason="not mine")
    revoke_override(actor=OPERATOR, tenant_id=acme.pk, override_id=row.pk, reason="over")
    assert selectors.effective_limits(acme).rate_per_second == 10
    with pytest.raises(StaleLimitError):
        revoke_override(actor=OPERATOR, tenant_id=acme.pk, override_id=row.pk, reason="again")
    assert [what for what, _ in told(acme)] == ["limit.overridden", "limit.override_revoked"]


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"limited": "rate"}, "/limited"),
        ({"value": 0}, "/value"),
        ({"value": 2**31}, "/value"),
        ({"value": 1.5}, "/value"),
        ({"value": True}, "/value"),
        ({"limited": "weight", "value": 40_000}, "/value"),
        ({"limited": "quota_per_day", "value": -1}, "/value"),
        ({"limited": "quota_per_day", "value": 2**53}, "/value"),
        ({"reason": " "}, "/reason"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "/expires_at"),
        ({"expires_at": (timezone.now() + timedelta(days=1)).replace(tzinfo=None)}, "/expires_at"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(acme: Tenant, values: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        override(acme, **values)
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert not LimitOverride.objects.exists()


def test_a_closed_tenant_and_nobody_get_none(acme: Tenant) -> None:
    Tenant.objects.filter(pk=acme.pk).update(state="closed")
    with pytest.raises(TenantClosedError):
        override(acme)
    with pytest.raises(NotFoundError):
        override(acme, tenant_id="tnt_01j9zc3v5m8k2q4r6t8w0y1a3b")


@pytest.mark.parametrize(
    "values",
    [
        {"limited": "speed"},
        {"value": 0},
        {"value": 2**31},
        {"limited": "weight", "value": 2**15},
        {"limited": "quota_per_day", "value": 2**53},
        {"reason": ""},
        {"expires_at": timezone.now() - timedelta(days=9)},
        {"state": "revoked"},
        {"ended_at": timezone.now()},
        {"state": "ajar", "ended_at": timezone.now()},
    ],
)
def test_the_database_refuses_what_must_never_be(acme: Tenant, values: dict[str, Any]) -> None:
    row = {"limited": "rate_per_second", "value": 5, "reason": "x", "set_by": "x", "set_at": timezone.now(), **values}
    with pytest.raises(IntegrityError), transaction.atomic():
        LimitOverride.objects.create(tenant=acme, **row)


def test_the_database_keeps_one_open_override_a_limit(acme: Tenant) -> None:
    override(acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        LimitOverride.objects.create(tenant=acme, limited="rate_per_second", value=5, reason="x", set_by="x", set_at=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_of_many_who_set_at_once_from_the_same_sight_one_wins(acme: Tenant) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(4)

    def act(value: int) -> None:
        barrier.wait()
        try:
            override(acme, value=value, replaces="")
            outcomes.append("set")
        except ConflictError:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(value,)) for value in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["late", "late", "late", "set"]
    assert LimitOverride.objects.filter(tenant=acme).count() == 1


def test_the_number_of_queries_does_not_grow_with_the_tenants(acme: Tenant, globex: Tenant, django_assert_num_queries: Any) -> None:
    override(acme)
    override(globex, limited="weight", value=7)
    tenants = list(Tenant.objects.select_related("tier"))
    with django_assert_num_queries(1):
        assert {limits.weight for limits in selectors.effective_limits_of(tenants).values()} == {1, 7}


class TestKeys:
    def set(self, key: ApiKey, **values: Any) -> KeyLimit:
        given = {"actor": OPERATOR, "tenant_id": key.tenant_id, "key_id": key.pk, "reason": "a test rig"}
        return set_key_limit(**{**given, **values})

    def test_a_key_has_limits_of_its_own_until_they_are_taken_away(self, key: ApiKey, acme: Tenant) -> None:
        assert selectors.limits_of_key(key.pk) is None
        first = self.set(key, rate_per_second=5, quota_per_day=100, revision=0)
        assert (first.revision, selectors.limits_of_key(key.pk)) == (1, KeyLimits(5, 5, 100, None, None))
        second = self.set(key, concurrency=2, revision=1)
        assert (second.revision, selectors.limits_of_key(key.pk)) == (2, KeyLimits(concurrency=2))
        assert [what for what, _ in told(acme)] == ["key.limited"] * 2
        details = AuditEvent.objects.filter(action="key.limited").order_by("-position")[0].details
        assert (details["rate_per_second"], details["concurrency"]) == (None, 2)

    def test_a_stale_sight_is_refused(self, key: ApiKey) -> None:
        self.set(key, rate_per_second=5)
        for seen in (0, 2):
            with pytest.raises(StaleLimitError):
                self.set(key, rate_per_second=6, revision=seen)

    def test_every_bad_field_is_named_at_once(self, key: ApiKey) -> None:
        with pytest.raises(InvalidInputError) as caught:
            self.set(key, burst=5, quota_per_day=-1, weight=3, concurrency="many")
        assert {error.pointer for error in caught.value.errors} == {"/burst", "/quota_per_day", "/weight", "/concurrency"}
        with pytest.raises(InvalidInputError) as caught:
            self.set(key, rate_per_second=1, burst=86_401)
        assert [error.pointer for error in caught.value.errors] == ["/burst"]

    def test_a_neighbours_key_is_not_found_and_one_that_has_ended_has_no_limits(self, key: ApiKey, globex: Tenant) -> None:
        with pytest.raises(NotFoundError):
            self.set(key, tenant_id=globex.pk, rate_per_second=1)
        type(key).objects.filter(pk=key.pk).update(state="revoked", ended_at=timezone.now())
        with pytest.raises(ConflictError):
            self.set(key, rate_per_second=1)

    @pytest.mark.parametrize(
        "values", [{"burst": 1}, {"rate_per_second": 1}, {"rate_per_second": 0, "burst": 0}, {"quota_per_day": 2**53}]
    )
    def test_the_database_refuses_what_must_never_be(self, key: ApiKey, values: dict[str, int]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            KeyLimit.objects.create(key=key, set_by="x", set_at=timezone.now(), **values)
