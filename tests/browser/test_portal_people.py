"""Tenants' people in a real browser, with real passwords in the stand-in's user pool: first sign-in, second factor, invitation, way out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import WIDE, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from controlplane.embedded.bootstrap import Footing
    from tenants.models import Tenant
    from tests.services import StandIn

NARROW = {"width": 360, "height": 740}
PASSWORD = "Correct-Horse-7-Battery"  # of people who do not exist
SERIOUS = ("serious", "critical")


class Visitor(Watched):
    """A browser at the portal."""

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def looked_at(self, name: str) -> None:
        """Keep a picture, and hold the page to WCAG: axe finds nothing serious, and nothing is wider than the window."""
        self.picture(name)
        found = Axe().run(self.page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Visitor]]:
    """Give a function that opens a browser at the portal; what it noticed fails the test."""
    opened: list[Visitor] = []

    def open_one(*, theme: str = "light", size: dict[str, int] = WIDE) -> Visitor:
        opened.append(Visitor(browser, live_server.url, theme=theme, size=size))
        opened[-1].allowed = {403, 422}
        return opened[-1]

    yield open_one
    for one in opened:
        one.context.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


@pytest.fixture
def acme(footing: Footing, standin: StandIn, transactional_db: None, clean_redis: object) -> Tenant:
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    return real_tenant("acme", admin_name="Ada Acme")


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/portal/acme/sign-in/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def code_for(page: Page) -> str:
    """Read the key that the page shows for typing, and give the code of this moment, as an authenticator does."""
    import base64

    from django_otp.oath import totp

    page.get_by_text("I cannot scan it").click()
    shown = page.get_by_test_id("typed-secret").inner_text().replace(" ", "")
    return f"{totp(base64.b32decode(shown)):06d}"


def test_from_the_first_password_to_a_colleague_who_is_refused(
    visit: Callable[..., Visitor], acme: Tenant, live_server: LiveServer, mailoutbox: list[Any], settings: Any
) -> None:
    from provisioning import people
    from provisioning.identity import set_first_password
    from tenants.members import mailing
    from tests.cast import OPERATOR

    settings.PORTAL_URL = live_server.url
    given = set_first_password(actor=OPERATOR, tenant_id=acme.pk, reason="first")
    ada = visit()
    page = ada.open("/portal/acme/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, "admin@acme.example", "not it")
    expect(page.get_by_role("alert")).to_contain_text("The address or the password is not right.")
    expect(page.get_by_label("E-mail address")).to_have_value("admin@acme.example")
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    ada.looked_at("portal-sign-in-refused")
    sign_in(page, "admin@acme.example", given)
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD + "x")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("The two are not the same.")).to_be_visible()
    ada.looked_at("portal-first-password")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()

    page.goto("/portal/acme/account/")
    page.get_by_role("link", name="Set up an authenticator").click()
    ada.looked_at("portal-authenticator")
    page.get_by_label("Code", exact=True).fill(code_for(page))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("asks for a code")

    page.get_by_role("link", name="Members").click()
    page.get_by_role("button", name="Require it of everybody").click()
    expect(page.get_by_role("status")).to_contain_text("Everybody needs a second factor now.")
    page.get_by_role("link", name="Invite somebody").click()
    page.get_by_label("E-mail address").fill("dee@acme.example")
    page.get_by_label(re.compile("^Developer")).check()
    ada.looked_at("portal-invite")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_contain_text("dee@acme.example is invited")
    ada.looked_at("portal-members")
    people.settle_due()
    assert mailing.send_due() == 1

    dee = visit(theme="dark", size=NARROW)
    link = re.search(r"http\S+", mailoutbox[0].body)
    assert link is not None
    their = dee.open(link[0])
    assert "link=" not in their.url
    their.get_by_label("Your name").fill("Dee Developer")
    their.get_by_label("New password").fill(PASSWORD)
    their.get_by_label("The same again").fill(PASSWORD)
    dee.looked_at("portal-welcome")
    their.get_by_role("button", name="Accept the invitation").click()
    expect(their.get_by_role("status")).to_contain_text("Your password is set.")
    sign_in(their, "dee@acme.example", PASSWORD)
    expect(their.get_by_role("heading", name="Set up your authenticator")).to_be_visible()
    dee.looked_at("portal-enrol")
    their.get_by_label("Code", exact=True).fill(code_for(their))
    their.get_by_role("button", name="Confirm and sign in").click()
    expect(their.get_by_role("navigation", name="Main")).to_be_visible()
    their.goto("/portal/acme/members/invite/")
    expect(their.get_by_role("heading", name="Your role may not do this")).to_be_visible()
    dee.looked_at("portal-refused")

    page.goto("/portal/acme/members/")
    page.get_by_role("link", name="Manage Dee Developer").click()
    ada.looked_at("portal-member")
    page.get_by_role("link", name="Disable").click()
    page.get_by_label("Reason").fill("On leave")
    ada.looked_at("portal-member-disable")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("status")).to_contain_text("They are disabled.")
    their.goto("/portal/acme/members/")
    expect(their.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_a_first_administrator_who_never_came_finds_the_way_in(
    visit: Callable[..., Visitor],
    acme: Tenant,
    live_server: LiveServer,
    mailoutbox: list[Any],
    settings: Any,
    theme: str,
    size: dict[str, int],
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from tenants.members import invitations, mailing
    from tenants.members.models import Member
    from tests.cast import OPERATOR

    settings.PORTAL_URL = live_server.url
    invitations.send_first_again(actor=OPERATOR, tenant_id=acme.pk, reason="never came")
    assert mailing.send_due() == 1
    long_ago = timezone.now() - timedelta(days=1)
    Member.objects.filter(is_first=True).update(
        link_expires_at=long_ago, invitation_expires_at=long_ago, mail_sent_at=long_ago, invited_at=long_ago
    )
    ada = visit(theme=theme, size=size)
    ada.allowed |= {410}
    page = ada.open(link_in(mailoutbox[-1]))
    expect(page.get_by_role("heading", name="This invitation has expired")).to_be_visible()
    ada.looked_at("portal-invitation-expired")
    sign_in(page, "admin@acme.example", "The-old-password-1")
    expect(page.get_by_text("It works for 7 days.")).to_be_visible()
    ada.looked_at("portal-sign-in-ended")
    page.get_by_role("link", name="Ask for a new link").click()
    expect(page.get_by_role("heading", name="Ask for a link")).to_be_visible()
    ada.looked_at("portal-ask-for-a-link")
    page.get_by_label("E-mail address").fill("admin@acme.example")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("status")).to_contain_text("a link is on its way")
    assert mailing.send_due() == 1
    page = ada.open(link_in(mailoutbox[-1]))
    expect(page.get_by_role("heading", name="Welcome to Acme")).to_be_visible()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Accept the invitation").click()
    sign_in(page, "admin@acme.example", PASSWORD)
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def link_in(mail: Any) -> str:
    found = re.search(r"http\S+link=\S+", mail.body)
    assert found is not None
    return found[0]


def test_without_a_script_everything_that_counts_works(browser: Browser, live_server: LiveServer, acme: Tenant) -> None:
    from tests.controlplane.portal.real import with_password
    from tests.tenants.members.test_devices import code_of, enrolled
    from tests.tenants.members.world import new_member

    member = with_password(new_member(acme, "owner", email="olive@acme.example"))
    with time_machine.travel(time.time() - 60):
        secret = enrolled(member)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "olive@acme.example", PASSWORD)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_label("Code", exact=True).fill("12")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("A code has six digits.")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(code_of(secret))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.goto("/portal/acme/members/invite/")
    page.get_by_label("E-mail address").fill("new@acme.example")
    page.get_by_label(re.compile("^Viewer")).check()
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_text("new@acme.example is invited")).to_be_visible()
    page.locator("summary").first.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    context.close()


def test_after_the_sign_in_has_moved_people_come_back_by_the_mailed_link(
    visit: Callable[..., Visitor], acme: Tenant, live_server: LiveServer, mailoutbox: list[Any], settings: Any
) -> None:
    from provisioning import people
    from provisioning.services import start_change_tier
    from tenants.members import mailing
    from tests.cast import OPERATOR, finish
    from tests.controlplane.portal.real import with_password
    from tests.tenants.members.world import new_member

    settings.PORTAL_URL = live_server.url
    olive = with_password(new_member(acme, "owner", name="Olive Owner", email="olive@acme.example"))
    with_password(new_member(acme, "developer", name="Dee Developer", email="dee@acme.example"))
    assert finish(start_change_tier(actor=OPERATOR, tenant_id=acme.pk, tier_code="premium", reason="grown")).state == "succeeded"
    assert people.settle_due() == 3
    assert mailing.send_due() == 2
    link = re.search(r"http\S+", next(mail.body for mail in mailoutbox if mail.to == [olive.email]))
    assert link is not None
    olives = visit()
    page = olives.open("/portal/acme/")
    sign_in(page, olive.email, PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("The address or the password is not right.")
    olives.open(link[0])
    page.get_by_label("New password").fill(PASSWORD + "!")
    page.get_by_label("The same again").fill(PASSWORD + "!")
    page.get_by_role("button", name="Set the password").click()
    sign_in(page, olive.email, PASSWORD + "!")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.goto("/portal/acme/members/")
    expect(page.get_by_role("row", name="Dee Developer")).to_contain_text(
        "New password link sent, because your organisation's sign-in moved."
    )
    expect(page.get_by_role("row", name="Olive Owner")).not_to_contain_text("moved")
    olives.looked_at("portal-members-moved")
    narrow = visit(theme="dark", size=NARROW)
    narrow.context.add_cookies(olives.context.cookies())  # type: ignore[arg-type]
    narrow.open("/portal/acme/members/")
    narrow.looked_at("portal-members-moved")
    page.goto("/portal/acme/activity/")
    expect(page.get_by_text("The sign-in moved; whoever had a password is sent a link for a new one")).to_be_visible()


@pytest.mark.parametrize("width", [360, 390, 800])
def test_long_names_make_no_page_about_people_wider_than_the_window(
    visit: Callable[..., Visitor], acme: Tenant, live_server: LiveServer, width: int
) -> None:
    from django.conf import settings

    from tests.controlplane.portal.people import plant
    from tests.tenants.members.world import new_member

    owner = new_member(acme, "owner", name="Wilhelmina Featherstonehaugh-Cholmondeley")
    invited = new_member(
        acme, "developer", name="", email="maximilian.schwarzenberg-hohenlohe@subsidiary.acme.example", state="invited"
    )
    window = visit(size={"width": width, "height": 800})
    cookie = {"name": settings.PORTAL_SESSION_COOKIE_NAME, "value": plant(owner), "url": f"{live_server.url}/portal/"}
    window.context.add_cookies([cookie])  # type: ignore[list-item]
    for path in ("members/", "members/invite/", f"members/{invited.pk}/"):
        page = window.open(f"/portal/acme/{path}")
        window.looked_at(f"portal-long-names-{width}")
        last = page.get_by_role("navigation", name="Main").get_by_role("link").last.bounding_box()
        assert last is not None
        assert last["x"] + last["width"] <= width
    page.get_by_text("Wilhelmina").first.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
