"""Single sign-on in a real browser, with a local provider: an owner connects, tries and switches on; a colleague comes in; the owner falls back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import expect

from tests.browser.conftest import WIDE, Watched
from tests.controlplane.portal.people import plant
from tests.local_provider import CLIENT_ID, CLIENT_SECRET, LocalProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page, Route
    from pytest_django.live_server_helper import LiveServer

    from controlplane.embedded.bootstrap import Footing
    from tenants.members.models import Member
    from tenants.models import Tenant
    from tests.services import StandIn

NARROW = {"width": 360, "height": 740}
HOSTED = re.compile(r"^https://cp-[0-9a-f]{40}\.auth\.[a-z0-9-]+\.amazoncognito\.com")
SERIOUS = ("serious", "critical")
expect.set_options(timeout=20_000)  # a way through three servers, on machines that do other things as well


class Visitor(Watched):
    """A browser that finds AWS's own domain at the stand-in, and may leave the portal for it and for the provider."""

    def at_aws(self, standin: StandIn, provider: LocalProvider) -> None:
        self.elsewhere = (standin.endpoint_url, provider.issuer, "https://cp-")
        self.context.route(HOSTED, lambda route: self._answer_for_aws(route, standin))

    def _note(self, bad: bool, what: str) -> None:
        if not what.startswith(getattr(self, "elsewhere", ("-",))):
            super()._note(bad, what)

    @staticmethod
    def _answer_for_aws(route: Route, standin: StandIn) -> None:
        asked = route.request
        url = HOSTED.sub(standin.endpoint_url, asked.url)
        kind = {"Content-Type": asked.headers.get("content-type", "")}
        answer = httpx.request(asked.method, url, content=asked.post_data_buffer or b"", headers=kind, follow_redirects=False)
        location = answer.headers.get("Location", "")
        # A browser follows no redirect that somebody else has filled in: a page that leads on does the same.
        body = f'<!doctype html><meta http-equiv="refresh" content="0; url={location.replace("&", "&amp;")}">'
        route.fulfill(status=200, content_type="text/html", body=body if location else answer.text)

    def signed_in(self, member: Member) -> None:
        self.context.add_cookies(
            [{"name": settings.PORTAL_SESSION_COOKIE_NAME, "value": plant(member), "url": f"{self.base}/portal/"}]
        )

    def looked_at(self, name: str) -> None:
        """Keep a picture, and hold the page to WCAG: axe finds nothing serious, and nothing is wider than the window."""
        self.picture(name)
        found = Axe().run(self.page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, standin: StandIn, provider: LocalProvider) -> Iterator[Callable[..., Visitor]]:
    """Give a function that opens a browser at the portal; what it noticed fails the test."""
    opened: list[Visitor] = []

    def open_one(*, theme: str = "light", size: dict[str, int] = WIDE) -> Visitor:
        opened.append(Visitor(browser, live_server.url, theme=theme, size=size))
        opened[-1].at_aws(standin, provider)
        opened[-1].allowed = {403, 422}
        return opened[-1]

    yield open_one
    for one in opened:
        one.context.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


@pytest.fixture
def acme(
    footing: Footing, standin: StandIn, transactional_db: None, clean_redis: object, live_server: LiveServer, settings: Any
) -> Tenant:
    from tenants.models import Tier
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    settings.PORTAL_URL = live_server.url
    prepared_cell(footing, standin)
    Tier.objects.filter(pk="basic").update(sso_allowed=True)
    return real_tenant("acme", admin_name="Ada Acme")


def member(tenant: Tenant, role: str, email: str, name: str) -> Member:
    from tests.tenants.members.world import new_member

    return new_member(tenant, role, email=email, name=name)


def carry_out(tenant: Tenant) -> None:
    from provisioning.models import Operation
    from tests.cast import finish

    operation = Operation.objects.filter(tenant=tenant).order_by("-pk").first()
    assert operation is not None
    assert finish(operation).state == "succeeded"


def choose(page: Page, kind: str) -> None:
    page.get_by_role("radio", name=kind).check()


def test_an_owner_connects_tries_switches_on_and_falls_back(
    visit: Callable[..., Visitor], acme: Tenant, provider: LocalProvider
) -> None:
    from tests.controlplane.portal.real import PASSWORD, with_password

    olive = with_password(member(acme, "owner", "olive@acme.example", "Olive Owner"))
    member(acme, "developer", "dee@acme.example", "Dee Developer")
    owner = visit()
    owner.signed_in(olive)
    owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = owner.page
    page.goto("/portal/acme/")
    page.get_by_role("link", name="Single sign-on").click()
    owner.looked_at("sso-nothing")
    page.get_by_role("button", name="Copy the redirect URI").click()
    expect(page.locator("#sp-redirect-told")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.get_by_label("Redirect URI").input_value()

    page.get_by_role("link", name="Connect a provider").click()
    expect(page.get_by_label("Issuer")).to_be_visible()
    expect(page.get_by_label("Address of the metadata")).to_be_hidden()
    choose(page, "SAML 2.0")
    expect(page.get_by_label("Issuer")).to_be_hidden()
    page.get_by_label("Or the metadata itself").fill("<html>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This is not XML.")).to_be_visible()
    expect(page.get_by_label("Or the metadata itself")).to_have_value("<html>")
    owner.looked_at("sso-refused")
    choose(page, "OpenID Connect")
    page.get_by_label("Issuer").fill(provider.issuer)
    page.get_by_label("Client id").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_label("Mail domains").fill("acme.example")
    owner.looked_at("sso-connect")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Being set up")).to_be_visible()
    carry_out(acme)
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("Not tried")).to_be_visible()
    owner.looked_at("sso-not-tried")

    provider.email = "nobody@acme.example"
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("Nobody of your organisation has the address").first).to_be_visible()
    owner.looked_at("sso-tried-in-vain")
    provider.email, provider.subject = "olive@acme.example", "olive"
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("status").first).to_contain_text("It worked: that is you.")
    owner.looked_at("sso-tried")
    page.get_by_role("link", name="Switch it on").click()
    page.get_by_label("Reason").fill("Everybody is invited")
    owner.looked_at("sso-switch-on")
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_text("Everybody but the owners signs in through your provider.")).to_be_visible()
    owner.looked_at("sso-on")

    colleague = visit(theme="dark", size=NARROW)
    their = colleague.page
    provider.email, provider.subject = "stranger@acme.example", "stranger"
    their.goto("/portal/acme/members/")
    colleague.looked_at("sso-sign-in")
    their.get_by_role("button", name="Sign in with your organisation").click()
    expect(their.get_by_role("alert")).to_contain_text("did not let you in here")
    colleague.looked_at("sso-sign-in-refused")
    provider.email, provider.subject = "dee@acme.example", "dee"
    their.goto("/portal/acme/members/")
    their.get_by_role("button", name="Sign in with your organisation").click()
    expect(their.get_by_role("heading", name="Members")).to_be_visible()
    expect(their.get_by_role("link", name="Single sign-on")).to_have_count(0)
    their.goto("/portal/acme/sso/")
    expect(their.get_by_role("heading", name="Your role may not do this")).to_be_visible()

    # The provider is gone; another owner's browser comes in with a password, and falls back.
    rescue = visit(theme="dark", size=NARROW)
    way = rescue.page
    way.goto("/portal/acme/sign-in/")
    way.get_by_text("Owners: sign in with a password").click()
    way.get_by_label("E-mail address").fill("olive@acme.example")
    way.get_by_label("Password", exact=True).fill(PASSWORD)
    rescue.looked_at("sso-owners-password")
    way.get_by_role("button", name="Sign in", exact=True).click()
    expect(way.get_by_role("navigation", name="Main")).to_be_visible()
    way.goto("/portal/acme/sso/")
    rescue.looked_at("sso-on")
    way.goto("/portal/acme/sso/connect/")
    rescue.looked_at("sso-change")
    way.goto("/portal/acme/sso/")
    way.get_by_role("link", name="Switch it off").click()
    way.get_by_role("button", name="Switch it off").click()
    expect(way.get_by_role("status").first).to_contain_text("Passwords are the way to sign in again.")
    rescue.looked_at("sso-off")
    way.get_by_role("link", name="Remove it").click()
    way.get_by_label("Reason").fill("Another provider")
    rescue.looked_at("sso-remove")
    way.get_by_role("button", name="Remove it").click()
    expect(way.get_by_text("No provider is connected.")).to_be_visible()


def test_saml_in_a_browser_without_a_script(
    visit: Callable[..., Visitor],
    browser: Browser,
    acme: Tenant,
    provider: LocalProvider,
    standin: StandIn,
    live_server: LiveServer,
) -> None:
    """The provider posts its answer to AWS's domain, from another site: the portal is called by a link, which brings its cookie."""
    from tests.controlplane.portal.sso_world import connected

    member(acme, "developer", "dee@acme.example", "Dee Developer")
    connected(acme, provider, "saml", on=True)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    context.route(HOSTED, lambda route: Visitor._answer_for_aws(route, standin))
    page = context.new_page()
    page.goto("/portal/acme/sign-in/")
    page.get_by_role("button", name="Sign in with your organisation").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    context.close()


def test_a_tier_without_it_says_so(visit: Callable[..., Visitor], acme: Tenant) -> None:
    from tenants.models import Tier

    Tier.objects.filter(pk="basic").update(sso_allowed=False)
    owner = visit(size=NARROW)
    owner.signed_in(member(acme, "owner", "olive@acme.example", "Olive Owner"))
    owner.page.goto("/portal/acme/sso/")
    expect(owner.page.get_by_text("is not part of Basic")).to_be_visible()
    owner.looked_at("sso-not-in-tier")
