"""Parts that renew themselves: nothing is sent while nothing has changed, and the pace follows what moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from provisioning import engine, services
from provisioning.resources.base import Wait
from tests.cast import OPERATOR, asked, finish

if TYPE_CHECKING:
    from tenants.models import Cell, Tenant
    from tests.controlplane.console.pretend import PretendAws

pytestmark = pytest.mark.django_db


def test_a_part_is_sent_again_only_when_it_has_changed(operator: Client, acme: Tenant) -> None:
    url = reverse("admin:tenants_tenant_live", args=[acme.pk])
    first = operator.get(url)
    assert first.status_code == 200
    assert first.headers["X-Live-Seconds"] == "6"
    again = operator.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["X-Live-Seconds"] == "6"
    services.start_repair(actor=OPERATOR, tenant_id=acme.pk, reason="look")
    moved = operator.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert moved.status_code == 200
    assert moved.headers["X-Live-Seconds"] == "1"


def test_a_timeline_moves_from_step_to_step(operator: Client, world: PretendAws, cell: Cell) -> None:
    operation = asked("globex")
    url = reverse("admin:tenants_tenant_live", args=[operation.tenant_id])
    assert "0 of 6 steps done" in operator.get(url).content.decode()
    world.next_for("stack", lambda: Wait(20, "CloudFormation is making the stack"))
    engine.run(operation.pk)
    body = operator.get(url).content.decode()
    assert "5 of 6 steps done" in body
    assert "CloudFormation is making the stack" in body
    finish(operation)
    body = operator.get(url).content.decode()
    assert "Onboard: succeeded" in body
    assert "of 6 steps done" not in body


def test_every_part_has_its_own_tag(operator: Client, viewer: Client, acme: Tenant, globex: Tenant, cell: Cell) -> None:
    urls = [
        reverse("admin:overview_live"),
        reverse("admin:tenants_tenant_live", args=[acme.pk]),
        reverse("admin:tenants_tenant_live", args=[globex.pk]),
        reverse("admin:tenants_cell_live", args=[cell.pk]),
    ]
    tags = [client.get(url).headers["ETag"] for client in (operator, viewer) for url in urls]
    assert len(set(tags)) >= len(urls) + 2


def test_a_part_is_a_fragment_and_nothing_is_cached(operator: Client, acme: Tenant) -> None:
    response = operator.get(reverse("admin:tenants_tenant_live", args=[acme.pk]))
    assert "<html" not in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]


def test_a_session_that_has_ended_is_sent_to_sign_in(acme: Tenant) -> None:
    assert Client().get(reverse("admin:tenants_tenant_live", args=[acme.pk])).status_code == 302
