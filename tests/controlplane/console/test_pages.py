"""Every page answers, with nothing, with little and with awkward content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Cell, Tenant

pytestmark = pytest.mark.django_db

LISTS = (
    "admin:index",
    "admin:overview_live",
    "admin:tenants_tenant_changelist",
    "admin:tenants_cell_changelist",
    "admin:tenants_tier_changelist",
    "admin:tenants_onboardingrequest_changelist",
    "admin:provisioning_operation_changelist",
    "admin:provisioning_resource_changelist",
    "admin:audit_auditevent_changelist",
    "admin:keys_apikey_changelist",
    "admin:tenants_tenant_add",
    "admin:tenants_tier_add",
    "admin:password_change",
)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_with_nothing_in_the_database(operator: Client, name: str) -> None:
    assert operator.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_a_page_with_tenants(operator: Client, acme: Tenant, globex: Tenant, initech: Tenant, name: str) -> None:
    response = operator.get(reverse(name))
    assert response.status_code == 200


def test_a_tenants_page_and_its_acts(operator: Client, acme: Tenant, initech: Tenant) -> None:
    for tenant in (acme, initech):
        page = operator.get(reverse("admin:tenants_tenant_change", args=[tenant.pk]))
        assert page.status_code == 200
        for act in page.context["acts"]:
            answer = operator.get(reverse("admin:tenants_tenant_act", args=[tenant.pk, act.name]))
            assert answer.status_code == 200, act.name


def test_a_cells_page(operator: Client, cell: Cell, acme: Tenant) -> None:
    assert operator.get(reverse("admin:tenants_cell_change", args=[cell.pk])).status_code == 200
    assert operator.get(reverse("admin:tenants_cell_act", args=[cell.pk, "repair"])).status_code == 200
