"""The pages of keys in a real browser: fit to be used in every look, and an operator's way from a rotation to a revocation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from controlplane.console.readonly import ReadOnlyAdmin
from tenants.keys import services
from tenants.keys.models import ApiKey
from tenants.models import Tenant
from tests.browser.conftest import NARROW, WIDE, Watched
from tests.browser.test_console_pages import LONG, look_at
from tests.cast import onboarded, ready_cell
from tests.controlplane.console.made_up_keys import fill_keys

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tests.controlplane.console.pretend import PretendAws
    from tests.services import StandIn

Open = Callable[..., Watched]
FEW = ("keys", "key-rotating", "key-lost", "key-act-rotate", "key-overview")
LOOKS = [("light", WIDE, None), ("dark", WIDE, FEW), ("light", NARROW, None), ("dark", NARROW, FEW[:2])]


def pages(story: dict[str, ApiKey]) -> dict[str, str]:
    """Give the address of every kind of page."""
    at = {role: f"/console/keys/apikey/{key.pk}" for role, key in story.items()}
    return {
        "keys": "/console/keys/apikey/",
        "key-rotating": f"{at['rotating']}/change/",
        "key-lost": f"{at['lost']}/change/",
        "key-behind": f"{at['behind']}/change/",
        "key-long-name": f"{at['disabled']}/change/",
        "key-act-rotate": f"{at['rotating']}/act/rotate/",
        "key-act-revoke": f"{at['lost']}/act/revoke/",
        "key-overview": "/console/",
        "key-tenant": f"/console/tenants/tenant/{story['behind'].tenant_id}/change/",
    }


@pytest.mark.timeout(400)
def test_every_page_of_keys_is_fit_to_be_used(watched: Open, world: PretendAws, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 12)
    ready_cell("eu-prod-1", quotas={"user_pools": 60, "roles": 1_000})
    tenants = [
        onboarded(slug, name=name)
        for slug, name in (
            ("northwind", "Northwind Learning"),
            ("harbour", "Harbour Street College"),
            ("barbe", "École Sainte-Barbe"),
            ("lumen", "Lumen Tutors"),
        )
    ]
    story = fill_keys(tenants)
    ApiKey.objects.filter(pk=story["disabled"].pk).update(name=LONG[:100], state_reason=LONG)
    wrong = []
    for theme, size, only in LOOKS:
        console = watched(theme=theme, size=size)
        console.sign_in(ada)
        for name, path in pages(story).items():
            if only is None or name in only:
                wrong += [f"{theme} {size['width']} {what}" for what in look_at(console, name, path)]
        console.context.close()
    assert wrong == []


@pytest.fixture
def acme(footing: Footing, standin: StandIn, transactional_db: None) -> Tenant:
    from tests.tenants.keys.world import keyed_cell, new_tenant

    return new_tenant(keyed_cell(footing, standin), "acme")


def test_from_a_rotation_to_a_revocation(watched: Open, acme: Tenant, ada: User) -> None:
    from tests.tenants.keys.world import OLGA

    issued = services.issue_key(actor=OLGA, tenant_id=acme.pk, name="ingest", scopes=["events:write"])
    console = watched()
    console.allowed = {422}
    console.sign_in(ada)
    page = console.go("/console/")
    page.locator("#nav-sidebar").get_by_role("link", name="Keys").click()
    page.get_by_role("link", name="ingest").click()
    expect(page.locator(".cp-head-title")).to_have_text("ingest")

    page.get_by_role("link", name="Rotate", exact=True).click()
    expect(page.locator("#plan")).to_contain_text("Works on for a while")
    page.get_by_text("not at all").click()
    expect(page.locator("#plan")).to_contain_text("Refused from now on, for good")
    page.get_by_text("1 hour", exact=True).click()
    expect(page.locator("#plan")).to_contain_text("Works on for a while")
    page.get_by_label("Retire it earlier, by evidence").check()
    page.get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("alert")).to_contain_text("This field is required.")
    expect(page.get_by_label("1 hour")).to_be_checked()
    expect(page.get_by_label("Retire it earlier, by evidence")).to_be_checked()
    page.get_by_label("Reason").fill("Its holder has left")
    page.get_by_role("button", name="Rotate").click()
    expect(page.get_by_text("ingest has version 2 now.")).to_be_visible()
    expect(page.locator("time[data-until]")).to_have_text(re.compile(r"^for (59|60) min \d\d s$"))
    assert issued.text not in page.content()
    console.picture("key-rotated")

    page.get_by_role("link", name="Retire previous").click()
    page.get_by_label("Reason").fill("All clients have moved")
    page.get_by_role("button", name="Retire previous").click()
    expect(page.get_by_text("its overlap was ended by hand")).to_be_visible()

    page.get_by_role("link", name="Revoke").click()
    page.get_by_label("The key's name").fill("inges")
    page.get_by_label("Reason").fill("The tenant asks for it")
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the key's name.")
    expect(page.get_by_label("Reason")).to_have_value("The tenant asks for it")
    page.get_by_label("The key's name").fill("ingest")
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("heading", name=re.compile("^Revoked"))).to_be_visible()
    assert page.get_by_role("link", name="Rotate", exact=True).count() == 0
