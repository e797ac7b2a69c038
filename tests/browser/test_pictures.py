"""The README's pictures, made anew: ``pytest tests/browser/test_pictures.py -m long`` writes them to docs/pictures/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User

from tenants.models import Tenant
from tests.browser.conftest import Watched
from tests.controlplane.console.made_up import fill
from tests.controlplane.console.made_up_keys import fill_keys
from tests.controlplane.console.people import account

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
