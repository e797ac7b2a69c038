"""Lists: the same number of queries for 5 rows and for 50, filters and searches that find, and bad input that breaks nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from controlplane.console import readonly
from provisioning.models import Operation
from tenants.models import Cell, Tenant, Tier
from tenants.slugs import skeleton_of

if TYPE_CHECKING:
    from tests.controlplane.console.pretend import PretendAws

pytestmark = pytest.mark.django_db

TENANTS = reverse("admin:tenants_tenant_changelist")
LISTS = {
    "tenants": TENANTS,
    "operations": reverse("admin:provisioning_operation_changelist"),
    "audit": reverse("admin:audit_auditevent_changelist"),
    "ledger": reverse("admin:provisioning_resource_changelist"),
    "requests": reverse("admin:tenants_onboardingrequest_changelist"),
    "overview": reverse("admin:index"),
}


@pytest.fixture
def more(cell: Cell) -> Callable[[int], list[Tenant]]:
    """Give a function that adds so many tenants, with an operation each."""
    tiers = list(Tier.objects.order_by("code"))

    def add(number: int) -> list[Tenant]:
        start = Tenant.objects.count()
        now = timezone.now()
        rows = [
            Tenant(
                slug=f"t-{start + n}",
                skeleton=skeleton_of(f"t-{start + n}"),
                name=f"Tenant number {start + n}",
                tier=tiers[n % len(tiers)],
                cell=cell,
                admin_email=f"admin@t-{start + n}.example",
                state="active" if n % 3 else "suspended",
                state_changed_at=now,
            )
            for n in range(number)
        ]
        Tenant.objects.bulk_create(rows)
        Operation.objects.bulk_create(
            Operation(kind="onboard", tenant=row, state="failed" if n % 2 else "succeeded", actor=f"operator:o{n}", created_at=now)
            for n, row in enumerate(rows)
        )
        return rows

    return add


@pytest.mark.parametrize("name", list(LISTS))
def test_the_queries_do_not_grow_with_the_rows(
    operator: Client, more: Callable[[int], list[Tenant]], django_assert_num_queries: Any, name: str, acme: Tenant
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    more(5)
    operator.get(LISTS[name])
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert operator.get(LISTS[name]).status_code == 200
    more(45)
    with django_assert_num_queries(len(few)):
        assert operator.get(LISTS[name]).status_code == 200
    assert len(few) < 40


def test_the_tenant_list_costs_a_known_number_of_queries(
    operator: Client, more: Callable[[int], list[Tenant]], django_assert_num_queries: Any
) -> None:
    more(50)
    operator.get(TENANTS)
    # Session, account, device, groups; states counted; tiers and cells of the filters; the page counted and read; the badge of failures.
    with django_assert_num_queries(10):
        operator.get(TENANTS)


def test_a_count_stops_at_the_cap(operator: Client, more: Callable[[int], list[Tenant]], monkeypatch: pytest.MonkeyPatch) -> None:
    more(60)
    monkeypatch.setattr(readonly, "COUNT_CAP", 55)
    assert operator.get(TENANTS).context["cl"].paginator.count == 55
    assert operator.get(TENANTS, {"p": "2"}).status_code == 200


def found(client: Client, **query: str) -> set[str]:
    return {tenant.slug for tenant in client.get(TENANTS, query).context["cl"].result_list}


def test_filters_and_search(operator: Client, acme: Tenant, globex: Tenant, initech: Tenant) -> None:
    assert found(operator) == {"acme", "globex", "initech"}
    assert found(operator, state="suspended") == {"initech"}
    assert found(operator, tier="premium") == {"globex"}
    assert found(operator, isolation="bridge") == {"initech"}
    assert found(operator, cell="prod") == {"acme", "globex", "initech"}
    assert found(operator, cell="elsewhere") == set()
    assert found(operator, state="active", tier="premium") == {"globex"}
    assert found(operator, q="lob") == {"globex"}
    assert found(operator, q=acme.pk) == {"acme"}
    assert found(operator, q="ADMIN@initech.example") == {"initech"}
    assert found(operator, q="lob", state="suspended") == set()
    assert found(operator, q="  ") == {"acme", "globex", "initech"}


@pytest.mark.parametrize("name", list(LISTS))
@pytest.mark.parametrize(
    "query",
    [
        "p=x",
        "p=-1",
        "p=999999",
        "p=" + "9" * 40,
        "o=99",
        "o=x",
        "state=%00",
        "q=%00",
        "q=" + "%25" * 300,
        "q=%ED%A0%80",
        "q=%FF%FE",
        "nonsense__field=1",
        "tier__name__regex=(a%2B)%2B$",
        "all=1",
        "e=1",
        "state=no+such",
        "_popup=1",
        "_facets=1",
    ],
)
def test_bad_parameters_break_nothing(operator: Client, acme: Tenant, name: str, query: str) -> None:
    assert operator.get(f"{LISTS[name]}?{query}").status_code in (200, 302, 400)


def test_the_audit_log_is_looked_up_by_whole_ids(operator: Client, acme: Tenant, globex: Tenant) -> None:
    def actions(term: str) -> set[str]:
        rows = operator.get(LISTS["audit"], {"q": term}).context["cl"].result_list
        return {event.action for event in rows}

    assert "tenant.activated" in actions(acme.pk)
    assert actions("tenant.") == {"tenant.requested", "tenant.activated"}
    operation = Operation.objects.get(tenant=globex)
    assert {"operation.started", "operation.succeeded"} <= actions(operation.pk)
    assert actions("nothing like it") == set()
    shown = operator.get(LISTS["audit"], {"outcome": "failed"}).context["cl"].result_list
    assert list(shown) == []


def test_ctrl_k_finds_tenants_and_at_most_twenty(operator: Client, acme: Tenant, more: Callable[[int], list[Tenant]]) -> None:
    cache.clear()
    more(60)
    url = reverse("admin:search")
    assert "Acme" in operator.get(url, {"s": "acm", "extended": "1"}).content.decode()
    body = operator.get(url, {"s": "tenant number", "extended": "1"}).content.decode()
    assert body.count("/change/") == 20
    assert operator.get(url, {"s": "x", "page": "nonsense"}).status_code == 400
    assert operator.get(url).status_code == 200
    cache.clear()


def test_awkward_names_are_shown_whole_and_escaped(operator: Client, world: PretendAws, acme: Tenant) -> None:
    name = "<script>alert(1)</script> " + "W" * 150 + " 大阪 \u202e\U0001f600"
    Tenant.objects.filter(pk=acme.pk).update(name=name, admin_name=name)
    for url in (TENANTS, reverse("admin:index"), reverse("admin:tenants_tenant_change", args=[acme.pk]), LISTS["operations"]):
        body = operator.get(url).content.decode()
        assert "<script>alert" not in body
        assert "&lt;script&gt;alert" in body or url == reverse("admin:index")
