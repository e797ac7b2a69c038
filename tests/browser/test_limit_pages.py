"""The pages of limits and load in a real browser: fit to be used in every look, and an operator's way from a flood to an override and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from tenants.limits.models import LimitOverride
from tenants.limits.services import set_key_limit, set_override
from tenants.models import Tenant
from tests.browser.conftest import NARROW, WIDE, Watched
from tests.browser.test_console_pages import LONG, look_at
from tests.cast import OPERATOR, onboarded, ready_cell
from tests.controlplane.console.made_up_keys import made_up_key
from tests.controlplane.console.made_up_usage import count, flood

if TYPE_CHECKING:
    from tests.controlplane.console.pretend import PretendAws

Open = Callable[..., Watched]
FEW = ("load", "usage-flood", "usage-what-if", "limit-override")
LOOKS = [("light", WIDE, None), ("dark", WIDE, None), ("light", NARROW, None), ("dark", NARROW, FEW)]


def busy_platform(now: datetime) -> list[Tenant]:
    """Four tenants: one that floods, one with a long name, two quiet ones."""
    ready_cell("eu-prod-1", quotas={"user_pools": 60, "roles": 1_000})
    names = {
        "northwind": "Northwind Learning",
        "harbour": "Harbour Street College",
        "barbe": "École Sainte-Barbe",
        "lumen": "Lumen",
    }
    tenants = [onboarded(slug, name=name) for slug, name in names.items()]
    Tenant.objects.filter(pk=tenants[2].pk).update(name=LONG[:200])
    flood(tenants[0], now, minutes=60, allowed=590, refused=400)
    flood(tenants[0], now, minutes=9, allowed=1, refused=30, limit="key-rate")
    for hours in range(2, 20):
        count(tenants[0], now - timedelta(hours=hours), 20_000 + 900 * hours)
    for minute in range(60):
        count(tenants[1], now - timedelta(minutes=minute), 40 + 7 * (minute % 5))
        count(tenants[2], now - timedelta(minutes=minute), 9)
    count(tenants[2], now, 3, "quota-day", outcome="USAGE_EXCEEDED")
    return tenants


@pytest.mark.timeout(400)
def test_every_page_of_limits_is_fit_to_be_used(watched: Open, world: PretendAws, ada: User) -> None:
    now = timezone.now()
    noisy, quiet, long, _ = busy_platform(now)
    key = made_up_key(noisy, "test rig")
    set_key_limit(actor=OPERATOR, tenant_id=noisy.pk, key_id=key.pk, reason="a test rig", rate_per_second=5, concurrency=2)
    asked = {"actor": OPERATOR, "tenant_id": long.pk}
    row = set_override(limited="burst", value=400, reason=LONG[:200], expires_at=now + timedelta(hours=5), **asked)
    set_override(limited="concurrency", value=9, reason="for good", **asked)
    at = {role: f"/console/tenants/tenant/{tenant.pk}" for role, tenant in (("noisy", noisy), ("long", long), ("quiet", quiet))}
    pages = {
        "load": "/console/load/",
        "load-refusals-day": "/console/load/?window=24h&by=refusals",
        "usage-flood": f"{at['noisy']}/usage/?window=1h",
        "usage-day": f"{at['noisy']}/usage/?window=24h",
        "usage-what-if": f"{at['noisy']}/usage/?window=1h&limited=rate_per_second&value=15",
        "usage-long-name": f"{at['long']}/usage/",
        "limit-tenant": f"{at['long']}/change/",
        "limit-override": f"{at['noisy']}/limits/override/?limited=rate_per_second&value=50&ends=24h",
        "limit-override-empty": f"{at['long']}/limits/override/",
        "limit-end": f"{at['long']}/limits/{row.pk}/end/",
        "limit-key": f"/console/keys/apikey/{key.pk}/act/limit/",
        "limit-of-key": f"/console/keys/apikey/{key.pk}/change/",
    }
    wrong = []
    for theme, size, only in LOOKS:
        console = watched(theme=theme, size=size)
        console.sign_in(ada)
        for name, path in pages.items():
            if only is None or name in only:
                wrong += [f"{theme} {size['width']} {what}" for what in look_at(console, name, path)]
        console.context.close()
    assert wrong == []


def test_from_a_flood_to_an_override_and_back(watched: Open, world: PretendAws, ada: User) -> None:
    noisy = busy_platform(timezone.now())[0]
    console = watched()
    console.allowed = {422}
    console.sign_in(ada)
    page = console.go("/console/")
    page.locator("#nav-sidebar").get_by_role("link", name="Load").click()
    expect(page.locator("#load tbody th").first).to_contain_text("Northwind Learning")
    page.get_by_role("link", name="By refusals").click()
    page.locator("#load").get_by_role("link", name="Northwind Learning").click()
    expect(page.locator(".cp-head-title")).to_have_text("Usage of Northwind Learning")

    page.get_by_label("If it were").fill("2000")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("region", name="What would have been refused")).to_contain_text("2,000 a second")
    expect(page.get_by_role("link", name="Override with 2,000 a second")).to_be_visible()

    page.get_by_role("link", name=re.compile("Override “Rate”")).click()
    expect(page.locator("#plan")).to_contain_text(f"instead of {noisy.tier.rate_per_second} a second, until")
    page.get_by_label("Holds instead").fill("25")
    expect(page.locator("#plan")).to_contain_text("Rate: 25 a second")
    page.get_by_text("1 hour", exact=True).click()
    page.get_by_role("button", name="Override").click()
    expect(page.get_by_role("alert")).to_contain_text("This field is required.")
    expect(page.get_by_label("Holds instead")).to_have_value("25")
    expect(page.get_by_label("1 hour")).to_be_checked()
    page.get_by_label("Reason").fill("Their importer runs wild, ticket 4711")
    page.get_by_role("button", name="Override").click()
    expect(page.get_by_text("Rate of Northwind Learning: 25 a second, until")).to_be_visible()
    expect(page.locator("time[data-until]")).to_have_text(re.compile(r"^for (59|60) min \d\d s$"))
    assert LimitOverride.objects.get().reason == "Their importer runs wild, ticket 4711"

    page.get_by_role("link", name="The tenant's page").click()
    page.get_by_role("link", name="End the override of “Rate”").click()
    expect(page.locator("#plan")).to_contain_text("the tier's, from")
    page.get_by_label("Reason").fill("Their importer is mended")
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_text("The override of “Rate” has ended")).to_be_visible()
    assert page.locator("time[data-until]").count() == 0
