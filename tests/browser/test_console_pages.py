"""Every page of the console, light and dark, wide and narrow: axe finds nothing serious, nothing scrolls sideways, and a picture is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User

from controlplane.console.readonly import ReadOnlyAdmin
from provisioning.models import Operation, Resource
from tenants.models import Cell, OnboardingRequest, Tenant
from tests.browser.conftest import NARROW, WIDE, Watched
from tests.controlplane.console.made_up import fill

if TYPE_CHECKING:
    from tests.controlplane.console.pretend import PretendAws

Open = Callable[..., Watched]
LONG = (
    "The Incorporated and Most Honourable Association of Teachers of "
    + "Wwwwwwwwww" * 10
    + " and Friends of the Städtische Überprüfungsstelle"
)
FEW = ("overview", "tenants", "tenant-failed", "act-offboard")
LOOKS = [("light", WIDE, None), ("dark", WIDE, None), ("light", NARROW, None), ("dark", NARROW, FEW)]
SERIOUS = ("serious", "critical")


def pages(story: dict[str, Tenant]) -> dict[str, str]:
    """Give the address of every kind of page."""
    from core.audit.models import AuditEvent

    failed = Operation.objects.get(state="failed")
    tenant = {role: f"/console/tenants/tenant/{row.pk}" for role, row in story.items()}
    return {
        "overview": "/console/",
        "tenants": "/console/tenants/tenant/",
        "tenants-none": "/console/tenants/tenant/?q=nothing-like-it",
        "tenant-failed": f"{tenant['failed']}/change/",
        "tenant-running": f"{tenant['running']}/change/",
        "tenant-leaving": f"{tenant['leaving']}/change/",
        "tenant-suspended": f"{tenant['suspended']}/change/",
        "tenant-long-name": f"{tenant['moved']}/change/",
        "act-change-tier": f"{tenant['moved']}/act/change_tier/?tier=basic",
        "act-offboard": f"{tenant['moved']}/act/offboard/",
        "act-invite-again": f"{tenant['moved']}/act/invite_again/",
        "act-abandon": f"/console/provisioning/operation/{failed.pk}/act/abandon/",
        "onboard": "/console/tenants/tenant/add/",
        "operations": "/console/provisioning/operation/",
        "operation": f"/console/provisioning/operation/{failed.pk}/change/",
        "cells": "/console/tenants/cell/",
        "cell": f"/console/tenants/cell/{Cell.objects.get(code='eu-prod-1').pk}/change/",
        "tiers": "/console/tenants/tier/",
        "tier": "/console/tenants/tier/basic/change/",
        "ledger": "/console/provisioning/resource/",
        "resource": f"/console/provisioning/resource/{Resource.objects.filter(state='drifted').first().pk}/change/",
        "audit": "/console/audit/auditevent/",
        "event": f"/console/audit/auditevent/{AuditEvent.objects.first().pk}/change/",
        "requests": "/console/tenants/onboardingrequest/",
        "request": f"/console/tenants/onboardingrequest/{OnboardingRequest.objects.first().pk}/change/",
        "password": "/console/password_change/",
    }


def serious(page: object) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']} at {[node['target'] for node in v['nodes']][:4]}" for v in found if v["impact"] in SERIOUS]


def look_at(console: Watched, name: str, path: str) -> list[str]:
    """Open a page, keep its picture, and give what is wrong with it."""
    page = console.go(path)
    page.evaluate("document.fonts.ready")
    console.picture(name)
    wrong = serious(page)
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"):
        wrong.append("scrolls sideways")
    if page.locator("main").count() != 1 or page.locator("h1").count() != 1:
        wrong.append("one main landmark and one first heading")
    if not page.title().endswith("| Control plane") or page.title().startswith("|"):
        wrong.append(f"title {page.title()!r}")
    return [f"{name}: {what}" for what in wrong]


@pytest.mark.timeout(400)
def test_every_page_is_fit_to_be_used(watched: Open, world: PretendAws, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    # axe looks at every row: a dozen tell as much as fifty.
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 12)
    story = fill(world)
    Tenant.objects.filter(pk=story["moved"].pk).update(name=LONG[:200], admin_name=LONG[:200])
    wrong = []
    for theme, size, only in LOOKS:
        console = watched(theme=theme, size=size)
        wrong += look_at(console, "login", "/console/login/")
        console.sign_in(ada)
        for name, path in pages(story).items():
            if only is None or name in only:
                wrong += [f"{theme} {size['width']} {what}" for what in look_at(console, name, path)]
        console.context.close()
    assert wrong == []


def test_an_empty_console_says_what_to_do(watched: Open, world: PretendAws, ada: User) -> None:
    console = watched(size=NARROW)
    console.sign_in(ada)
    wrong = []
    for name, path in {
        "overview-nothing": "/console/",
        "cells-nothing": "/console/tenants/cell/",
        "onboard-nothing": "/console/tenants/tenant/add/",
    }.items():
        wrong += look_at(console, name, path)
    assert wrong == []
    assert "Register a cell first" in console.go("/console/").inner_text("main")


def test_the_menu_opens_on_a_narrow_screen(watched: Open, world: PretendAws, ada: User) -> None:
    console = watched(size=NARROW)
    console.sign_in(ada)
    page = console.go("/console/")
    assert not page.get_by_role("link", name="Audit log").first.is_visible() or not page.locator("#nav-sidebar").is_visible()
    page.locator("header .material-symbols-outlined", has_text="dock_to_right").last.click()
    page.locator("#nav-sidebar").get_by_role("link", name="Audit log").click()
    assert page.url.endswith("/console/audit/auditevent/")
