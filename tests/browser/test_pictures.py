"""The README's pictures, made anew: ``pytest tests/browser/test_pictures.py -m long`` writes them to docs/pictures/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from tenants.members.models import Member
from tenants.models import Tenant
from tests.browser.conftest import Watched
from tests.controlplane.console.made_up import fill
from tests.controlplane.console.made_up_keys import DAY, fill_keys, made_up_key, use
from tests.controlplane.console.people import account
from tests.controlplane.portal.people import plant

if TYPE_CHECKING:
    from tests.controlplane.console.pretend import PretendAws

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MOST_BYTES = 300_000


@pytest.mark.long
def test_pictures_for_the_readme(watched: Callable[..., Watched], world: PretendAws, ada: User) -> None:
    account("martin", "operator", first_name="Martin", last_name="Osei")
    story = fill(world)
    keys = fill_keys(
        list(Tenant.objects.filter(state="active", name__in=("Northwind Learning", "Harbour Street College", "Fjordskolen")))
    )
    page_of = {role: f"/console/tenants/tenant/{tenant.pk}" for role, tenant in story.items()}
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, path, theme, size in (
        ("overview-light", "/console/", "light", (1360, 1120)),
        ("tenant-timeline-dark", f"{page_of['running']}/change/", "dark", (1360, 860)),
        ("tenant-failed-light", f"{page_of['failed']}/change/", "light", (1360, 1000)),
        ("change-tier-light", f"{page_of['moved']}/act/change_tier/?tier=basic", "light", (1360, 1120)),
        ("key-rotating-light", f"/console/keys/apikey/{keys['rotating'].pk}/change/", "light", (1360, 960)),
        ("tenants-narrow-dark", "/console/tenants/tenant/", "dark", (390, 844)),
    ):
        console = watched(theme=theme, size=dict(zip(("width", "height"), size, strict=True)))
        console.sign_in(ada)
        page = console.go(path)
        page.wait_for_timeout(400)  # fonts and the first tick of the times
        target = PICTURES / f"{name}.png"
        page.screenshot(path=target)
        assert target.stat().st_size < MOST_BYTES


@pytest.mark.long
def test_a_picture_of_the_portal(watched: Callable[..., Watched], world: PretendAws) -> None:
    fill(world)
    tenant = Tenant.objects.get(name="Northwind Learning")
    owner = Member.objects.get(tenant=tenant, is_first=True)
    Member.objects.filter(pk=owner.pk).update(name="Ines Okafor")
    keys_of_a_tenant(tenant, f"member:{owner.pk}")
    portal = watched(theme="light", size={"width": 1360, "height": 900})
    cookie = {"name": settings.PORTAL_SESSION_COOKIE_NAME, "value": plant(owner), "url": f"{portal.base}/portal/"}
    portal.context.add_cookies([cookie])  # type: ignore[list-item]
    page = portal.go(f"/portal/{tenant.slug}/keys/")
    page.wait_for_timeout(400)
    target = PICTURES / "portal-keys-light.png"
    page.screenshot(path=target)
    assert target.stat().st_size < MOST_BYTES


def keys_of_a_tenant(tenant: Tenant, by: str) -> None:
    """Keys as a tenant that has been here for months has them, the oldest first."""
    now = timezone.now()
    for name, days, scopes, ends_in, calls, values in (
        ("Old player", 128, ["events:write"], 0, [], {"state": "revoked", "state_reason": "Replaced", "ended_at": now - 9 * DAY}),
        ("Nightly export", 96, ["jobs:read"], 84, [40 if hour == 23 else 0 for hour in range(24)], {}),
        ("Grade book sync", 75, ["events:read", "jobs:write"], 5, [60 + 25 * (hour % 6) for hour in range(24)], {}),
        ("Load test", 40, ["events:write"], 140, [0] * 24, {"state": "disabled", "environment": "test"}),
        ("Course player, web", 12, ["events:write", "jobs:read"], 168, [300 + 90 * (hour % 9) for hour in range(24)], {}),
        ("Course player, mobile", 3, ["events:write"], 177, [70 * (hour % 8) for hour in range(24)], {}),
    ):
        ended = {"stage": "retired", "retired_because": "revoked", "retired_at": now - 9 * DAY}
        version = {"expires_at": now + ends_in * DAY, "issued_at": now - days * DAY} if ends_in else ended
        issued = {"created_at": now - days * DAY, "created_by": by, "scopes": scopes}
        key = made_up_key(tenant, name, versions=(version,), **issued, **values)
        if any(calls):
            use(key.versions.get(), calls, minutes_ago=2 + days / 3)
