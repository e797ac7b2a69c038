"""A cell's AWS quotas are kept before anything is made, and two requests cannot both have the last place."""

from __future__ import annotations

import threading

import pytest
from django.db import close_old_connections, connection

from core.errors import DomainError, InvalidInputError
from provisioning import preflight
from provisioning.models import Resource
from provisioning.preflight import CellFullError
from provisioning.selectors import quotas_of
from provisioning.services import start_change_tier
from tenants.models import Cell, Tenant, Tier
from tenants.selectors import facts_of_cell, facts_of_tier
from tests.cast import OPERATOR, asked, ready_cell


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.doorbell.ring", lambda operation_id, *, delay_seconds=0: None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tier", "need"),
    [
        ("basic", {"secrets": 1}),
        ("standard", {"secrets": 1, "user_pools": 1, "roles": 1, "kms_keys": 1}),
        ("premium", {"secrets": 1, "user_pools": 1, "roles": 1, "kms_keys": 1, "stacks": 1, "buckets": 1, "tables": 1}),
    ],
)
def test_what_a_tenant_takes_of_each_quota(tier: str, need: dict[str, int]) -> None:
    cell = ready_cell()
    assert preflight.need_of(facts_of_tier(Tier.objects.get(pk=tier)), facts_of_cell(cell)) == need


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("quotas", "tier", "said"),
    [
        ({"user_pools": 1}, "standard", "user_pools: 1 of 1 in use, 1 more needed."),
        ({"roles": 1}, "standard", "roles: 1 of 1 in use, 1 more needed."),
        ({"secrets": 1}, "basic", "secrets: 1 of 1 in use, 1 more needed."),
        ({"stacks": 0}, "premium", "stacks: 0 of 0 in use, 1 more needed."),
    ],
)
def test_a_full_cell_is_refused_with_the_quota_and_its_numbers(quotas: dict[str, int], tier: str, said: str) -> None:
    Cell.objects.filter(pk=ready_cell().pk).update(quotas={})
    asked("first", tier_code="standard")
    Cell.objects.update(quotas=quotas)
    with pytest.raises(CellFullError) as caught:
        asked("second", tier_code=tier)
    assert [(error.pointer, error.detail) for error in caught.value.errors] == [("/cell", said)]
    assert Tenant.objects.count() == 1


@pytest.mark.django_db
def test_a_quota_that_is_not_named_does_not_limit_and_a_closed_tenant_takes_nothing() -> None:
    cell = ready_cell(quotas={"user_pools": 1})
    asked("first", tier_code="standard")
    asked("pooled", tier_code="basic")
    Tenant.objects.filter(slug="first").update(state="closed")
    asked("second", tier_code="standard")
    assert {(use.name, use.used, use.limit, use.percent) for use in quotas_of(cell)} == {("user_pools", 1, 1, 100)}


@pytest.mark.django_db
def test_a_tier_move_must_fit_as_well_and_what_is_retained_counts() -> None:
    cell = ready_cell(quotas={"stacks": 1})
    tenant = asked("acme").tenant
    assert tenant is not None
    tenant.operations.update(state="succeeded")
    Tenant.objects.update(state="active")
    Resource.objects.create(tenant=tenant, kind="stack", name="own", state="retained", spec={}, fingerprint="x")
    assert preflight.usage_of(cell)["stacks"] == 1
    with pytest.raises(InvalidInputError, match="stacks: 1 of 1"):
        start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code="premium", reason="grown")
    tenant.refresh_from_db()
    assert tenant.tier_id == "basic"


@pytest.mark.django_db(transaction=True)
def test_two_requests_cannot_both_have_the_last_place() -> None:
    ready_cell(quotas={"user_pools": 3})
    outcomes: list[str] = []
    gate = threading.Barrier(6)

    def ask(number: int) -> None:
        close_old_connections()
        gate.wait()
        try:
            asked(f"racer-{number}x", tier_code="standard")
            outcomes.append("in")
        except DomainError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    racers = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(outcomes) == ["cell-full"] * 3 + ["in"] * 3
    assert Tenant.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_one_reference_asked_at_the_same_moment_gives_one_tenant() -> None:
    ready_cell()
    operations: list[str] = []
    gate = threading.Barrier(5)

    def ask() -> None:
        close_old_connections()
        gate.wait()
        try:
            operations.append(asked("acme").pk)
        finally:
            connection.close()

    racers = [threading.Thread(target=ask) for _ in range(5)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(operations) == 5
    assert len(set(operations)) == 1
    assert Tenant.objects.count() == 1
