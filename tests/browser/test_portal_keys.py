"""The portal's pages about keys in a real browser: the way of a key with a script and without, and every page looked at."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.utils import timezone
from playwright.sync_api import Error as PlaywrightError

from tests.browser.conftest import ARTIFACTS, WIDE, Watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Member
    from tenants.models import Tenant
    from tests.services import StandIn

NARROW = {"width": 360, "height": 740}
FEW = ("keys", "key", "key-issue", "key-rotate", "key-revoke", "usage", "activity", "activity-proof", "api")
LOOKS: list[tuple[str, dict[str, int], tuple[str, ...] | None]] = [("light", WIDE, None), ("dark", NARROW, FEW)]
"""Colour and width are styled apart from each other: either once."""
SERIOUS = ("serious", "critical")


@pytest.fixture
def acme(footing: Footing, standin: StandIn, transactional_db: None) -> Tenant:
    from tests.tenants.keys.world import keyed_cell, new_tenant

    return new_tenant(keyed_cell(footing, standin), "acme", tier="premium")


@pytest.fixture
def owner(acme: Tenant) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(acme, "owner", name="Ines Okafor", email="ines@acme.example")


class PortalWatched(Watched):
    """A watched browser in which a member has signed in."""

    def enter(self, member: Member) -> None:
        from tests.controlplane.portal.people import plant

        cookie = {"name": django_settings.PORTAL_SESSION_COOKIE_NAME, "value": plant(member), "url": f"{self.base}/portal/"}
        self.context.add_cookies([cookie])


@pytest.fixture
def portal(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., PortalWatched]]:
    opened: list[PortalWatched] = []

    def open_one(member: Member, *, theme: str = "light", size: dict[str, int] = WIDE) -> PortalWatched:
        opened.append(PortalWatched(browser, live_server.url, theme=theme, size=size))
        opened[-1].enter(member)
        return opened[-1]

    yield open_one
    for one in opened:
        one.context.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


def wrong_with(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    wrong = [f"{v['id']}: {v['help']} at {[node['target'] for node in v['nodes']][:4]}" for v in found if v["impact"] in SERIOUS]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"):
        wrong.append("scrolls sideways")
    if page.locator("main").count() != 1 or page.locator("h1").count() != 1:
        wrong.append("one main landmark and one first heading")
    return wrong


def fill_in(page: Page, name: str) -> None:
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_text("events:write").click()
    page.get_by_label("in 90 days").check()


def test_a_key_is_issued_copied_saved_rotated_and_revoked(
    portal: Callable[..., PortalWatched], owner: Member, tmp_path: Path
) -> None:
    from tenants.keys.verification import Code, verify

    window = portal(owner)
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.go("/portal/acme/keys/")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Issue the first key").click()
    assert not page.get_by_label("On this day").is_visible()
    page.get_by_label("on a day of your choice").check()
    assert page.get_by_label("On this day").is_visible()
    fill_in(page, "Course player")
    page.get_by_role("button", name="Issue the key").click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    first = page.get_by_label("The key").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == first
    assert verify(first, scopes=["events:write"]).code is Code.VALID
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download .env").click()
    saved.value.save_as(tmp_path / "file")
    assert (saved.value.suggested_filename, (tmp_path / "file").read_text()) == ("course-player.env", f"CPK_KEY={first}\n")
    assert first not in page.url

    page.reload()
    assert asked == ["beforeunload"], "leaving without having stored it asks first"
    assert page.get_by_role("heading", level=1).inner_text() == "This key was shown already"
    assert first not in page.content()
    page.get_by_role("link", name="Go to the key").click()

    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("radio", name="1 hour").check()
    page.get_by_role("button", name="Rotate").click()
    second = page.get_by_label("The key").input_value()
    assert [verify(text).code for text in (first, second)] == [Code.VALID, Code.VALID]
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Go to the key").click()
    page.get_by_text("Two versions are accepted.").wait_for()
    assert asked == ["beforeunload"], "whoever has stored it is not asked"
    assert re.fullmatch(r"59 min|1 h", page.locator(".overlap time").inner_text())

    window.go("/portal/acme/keys/")
    page.get_by_role("link", name="Course player").click()
    page.get_by_role("link", name="Revoke").click()
    window.allowed.add(422)
    page.get_by_label("The key's name").fill("another")
    page.get_by_label("Why").fill("has left")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("This is not the key's name.").wait_for()
    assert page.get_by_label("Why").input_value() == "has left"
    page.get_by_label("The key's name").fill("Course player")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("is revoked").first.wait_for()
    assert [verify(text).code for text in (first, second)] == [Code.NOT_FOUND, Code.NOT_FOUND]


def test_issue_and_rotate_work_without_a_script(browser: Browser, live_server: LiveServer, owner: Member) -> None:
    from tenants.keys.verification import Code, verify
    from tests.controlplane.portal.people import plant

    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, viewport=NARROW)  # type: ignore[arg-type]
    cookie = {"name": django_settings.PORTAL_SESSION_COOKIE_NAME, "value": plant(owner), "url": f"{live_server.url}/portal/"}
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    page.goto("/portal/acme/keys/issue/")
    fill_in(page, "Without")
    page.get_by_role("button", name="Issue the key").click()
    first = page.get_by_label("The key").input_value()
    assert not page.get_by_role("button", name="Copy").is_visible()
    page.get_by_role("button", name="Go to the key").click()
    assert page.get_by_label("The key").count() == 1, "the box must be ticked first"
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Go to the key").click()
    page.get_by_role("link", name="Rotate").click()
    page.get_by_label("a time of your choice").check()
    page.get_by_role("spinbutton", name="Hours").fill("2.5")
    page.get_by_role("button", name="Rotate").click()
    second = page.get_by_label("The key").input_value()
    assert [verify(text).code for text in (first, second)] == [Code.VALID, Code.VALID]
    assert "CPK_KEY=" in page.content()
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Go to the key").click()
    page.get_by_text("Two versions are accepted.").wait_for()
    with pytest.raises(PlaywrightError, match="ERR_CACHE_MISS"):
        page.go_back()  # the browser has kept nothing, and sends the form again only if it is told to
    context.close()


def story(acme: Tenant, owner: Member) -> dict[str, str]:
    """Keys in every condition, things that happened, and the address of every page."""
    from django.db import transaction

    from core.actors import operator
    from core.audit.services import record
    from tenants.members.signing_in import member_actor as actor_of
    from tests.controlplane.console.made_up_keys import fill_keys, made_up_key

    keys = fill_keys([acme, acme, acme, acme])
    fill_usage(acme)
    made_up_key(acme, "W" * 100, scopes=["events:read", "events:write", "jobs:read", "jobs:write", "usage:read", "keys:read"])
    rotating = keys["rotating"]
    acts: list[tuple[Any, str, str, dict[str, Any]]] = [
        (actor_of(owner), "key.issued", "", {"name": rotating.name, "number": 1}),
        (actor_of(owner), "key.rotated", "The yearly one", {"name": rotating.name, "number": 2}),
        (
            operator("olga", "Olga Lindqvist"),
            "key.rotated",
            "Its holder has left; ticket 4711",
            {"name": rotating.name, "number": 3},
        ),
    ]
    with transaction.atomic():
        for actor, action, reason, details in acts:
            record(action=action, actor=actor, target=rotating.pk, tenant_id=acme.pk, reason=reason, details=details)
        record(action="tenant.resumed", actor=operator("olga", "Olga Lindqvist"), target=acme.pk, tenant_id=acme.pk, reason="Paid")
    at = "/portal/acme"
    key = f"{at}/keys/{rotating.pk}"
    return {
        "keys": f"{at}/keys/",
        "keys-none-found": f"{at}/keys/?q=nothing-like-it",
        "key": f"{key}/",
        "key-leaked": f"{at}/keys/{keys['leaked'].pk}/",
        "key-revoked": f"{at}/keys/{keys['revoked'].pk}/",
        "key-imported": f"{at}/keys/{keys['imported'].pk}/",
        "key-issue": f"{at}/keys/issue/",
        "key-rotate": f"{key}/rotate/",
        "key-edit": f"{key}/edit/",
        "key-disable": f"{key}/disable/",
        "key-revoke": f"{key}/revoke/",
        "key-rotate-refused": f"{at}/keys/{keys['disabled'].pk}/rotate/",
        "key-leaks": f"{at}/keys/leaks/",
        "usage": f"{at}/usage/",
        "activity": f"{at}/activity/",
        "activity-proof": f"{at}/activity/proof/",
        "api": f"{at}/api/",
    }


def fill_usage(tenant: Tenant) -> None:
    """Have most of the day's quota used, and some requests refused in each of the last hours."""
    from tenants.usage.models import UsageDay, UsageHour, UsageMinute

    now = timezone.now()
    hour, minute = now.replace(minute=0, second=0, microsecond=0), now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    used = tenant.tier.quota_per_day * 9 // 10
    UsageDay.objects.create(tenant=tenant, day=now.date(), outcome="VALID", requests=used, cost=used)
    for ago, (outcome, limit, requests) in enumerate(
        [("RATE_LIMITED", "rate", 400), ("EXPIRED", "", 90), ("USAGE_EXCEEDED", "quota-day", 700)]
    ):
        place = {"tenant": tenant, "outcome": outcome, "refused_by": limit, "requests": requests, "cost": requests}
        UsageHour.objects.create(**place, hour=hour - timedelta(hours=2 * ago))
    UsageMinute.objects.create(tenant=tenant, minute=minute, outcome="VALID", requests=600, cost=600)


def test_a_tenant_sees_how_its_limits_stand(portal: Callable[..., PortalWatched], acme: Tenant, owner: Member) -> None:
    fill_usage(acme)
    page = portal(owner).go("/portal/acme/usage/")
    gauge = page.get_by_role("progressbar", name="Quota of the day, used")
    assert gauge.evaluate("bar => bar.value") == 90
    width = gauge.bounding_box()
    assert width is not None
    assert width["width"] > 200
    assert page.get_by_role("table", name="1,190 requests refused, by reason").get_by_role("row").count() == 4
    assert "refused: 1,190" in page.inner_text("figure")


@pytest.mark.timeout(400)
def test_every_page_is_fit_to_be_used(portal: Callable[..., PortalWatched], acme: Tenant, owner: Member) -> None:
    wrong: list[str] = []
    pages = story(acme, owner)
    for theme, size, only in LOOKS:
        window = portal(owner, theme=theme, size=size)
        for name, path in pages.items():
            if only is not None and name not in only:
                continue
            page = window.go(path)
            window.picture(f"portal-{name}")
            wrong += [f"{theme} {size['width']} {name}: {what}" for what in wrong_with(page)]
        wrong += [f"{theme} {size['width']} {what}" for what in _forms(window)]
    assert wrong == []


def _forms(window: PortalWatched) -> list[str]:
    """Look at a form with errors, at the page that shows a key, and at a walked chain."""
    page, wrong = window.go("/portal/acme/keys/issue/"), []
    window.allowed.add(422)
    page.get_by_label("on a day of your choice").check()
    page.get_by_role("button", name="Issue the key").click()
    page.get_by_text("Choose the day.").wait_for()
    window.picture("portal-key-issue-refused")
    wrong += [f"refused: {what}" for what in wrong_with(page)]
    fill_in(page, "Course player")
    page.get_by_role("button", name="Issue the key").click()
    page.get_by_label("The key").wait_for()
    window.picture("portal-key-reveal")
    wrong += [f"reveal: {what}" for what in wrong_with(page)]
    page.get_by_label("I have stored it").check()
    window.go("/portal/acme/activity/proof/")
    page.get_by_role("button", name="Check it now").click()
    page.get_by_text("Whole.").wait_for()
    window.picture("portal-activity-proof-checked")
    return wrong + [f"proof: {what}" for what in wrong_with(page)]


def test_an_empty_portal_says_what_to_do(portal: Callable[..., PortalWatched], owner: Member) -> None:
    window = portal(owner, size=NARROW)
    for name in ("keys", "usage", "activity"):
        page = window.go(f"/portal/acme/{name}/")
        window.picture(f"portal-{name}-nothing")
        assert wrong_with(page) == []
    assert "Issue the first key" in window.go("/portal/acme/keys/").inner_text("main")
    assert ARTIFACTS.exists()


def test_who_has_to_wait_sees_how_long_and_loses_nothing(
    portal: Callable[..., PortalWatched], owner: Member, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controlplane import doors

    settings.DOOR_LIMITS = {**settings.DOOR_LIMITS, "portal-member": (1, 1)}
    wrong, asked, real = [], itertools.count(1), doors.ask

    def ask(name: str, who: str) -> Any:
        """Refuse the second act of three, however slow the browser is."""
        is_second = name == doors.MEMBER and next(asked) % 3 == 2
        decision = real(name, who)
        while is_second and decision.is_admitted:
            decision = real(name, who)
        return decision

    monkeypatch.setattr(doors, "ask", ask)
    for theme, size in (("light", WIDE), ("dark", NARROW)):
        window = portal(owner, theme=theme, size=size)
        window.allowed = {422, 429}
        page = window.go("/portal/acme/keys/issue/")
        page.get_by_label("Name", exact=True).fill("nightly export")
        page.evaluate("document.querySelector('[name=reference]').value = 'spoilt'")  # the first try is refused for that
        page.get_by_role("button", name="Issue the key").click()
        page.get_by_text("This form was out of date").wait_for()
        page.get_by_role("button", name="Issue the key").click()
        page.get_by_role("heading", name="Wait a moment").wait_for()
        again = page.get_by_role("button", name="Send it again")
        wrong += wrong_with(page)
        window.picture("portal-wait")
        again.click()  # waits until it can be pressed
        page.wait_for_load_state("load")
        page.get_by_role("heading", name="Store this key now").wait_for()
        assert "nightly export" in page.inner_text("main")
    assert wrong == []
