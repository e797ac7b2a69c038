"""One operator's first day in a real browser: enrol, look, onboard, watch it move, suspend, resume, lose the connection, sign out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django_otp.oath import totp
from playwright.sync_api import Page, expect

from provisioning import engine
from provisioning.models import Operation
from provisioning.resources.base import Wait
from tenants.models import Tenant
from tests.browser.conftest import Watched
from tests.cast import finish, onboarded, ready_cell
from tests.controlplane.console.made_up import RefusedError, raising
from tests.controlplane.console.people import PASSWORD

if TYPE_CHECKING:
    from tests.controlplane.console.pretend import PretendAws

Open = Callable[..., Watched]


def type_code(page: Page) -> None:
    """Read the secret off the page as a person would, and type what an authenticator shows."""
    import base64

    page.get_by_text("I cannot scan it").click()
    secret = page.get_by_test_id("typed-secret").inner_text().replace(" ", "")
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    page.get_by_label("Code from your authenticator").fill(f"{totp(key):06d}")


def test_an_operators_first_day(watched: Open, world: PretendAws, ada: User) -> None:
    ready_cell("eu-prod-1", quotas={"user_pools": 60, "secrets": 500})
    console = watched()
    console.allowed = {422}
    page = console.go("/console/tenants/tenant/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is not right.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Set up your authenticator")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("QR code")).locator("svg")).to_be_visible()
    console.picture("enrol")
    type_code(page)
    page.get_by_role("button", name="Confirm and sign in").click()

    expect(page).to_have_url(re.compile(r"/console/tenants/tenant/$"))
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="No tenants yet")).to_be_visible()
    console.picture("overview-empty")
    page.get_by_role("link", name="Onboard a tenant").click()
    page.get_by_label("Name", exact=True).fill("Société Générale d'Été")
    expect(page.get_by_label("Short name")).to_have_value("societe-generale-d-ete")
    page.get_by_label("E-mail").fill("admin@ete.example")
    expect(page.locator("#plan")).not_to_contain_text("CloudFormation stack")
    page.get_by_text("Premium").click()
    expect(page.locator("#plan")).to_contain_text("CloudFormation stack")
    console.picture("onboard")
    page.get_by_role("button", name="Onboard").click()
    expect(page.get_by_role("alert")).to_contain_text("This field is required.")
    page.get_by_label("Reason").fill("Contract CT-204")
    page.get_by_role("button", name="Onboard").click()

    expect(page.locator(".cp-head-title")).to_have_text("Société Générale d'Été")
    watch_it_move(page, console, world)
    suspend_and_resume(page, console)
    page.locator("#nav-sidebar").get_by_text("Ada Moreau").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def watch_it_move(page: Page, console: Watched, world: PretendAws) -> None:
    """The timeline moves while the page stays: a mark in the window is still there at the end."""
    page.evaluate("window.stayed = true")
    operation = Operation.objects.get(kind="onboard")
    bar = page.get_by_role("progressbar", name="Onboard")
    expect(bar).to_have_attribute("aria-valuenow", "0")
    world.next_for("stack", lambda: Wait(0, "CloudFormation is making the stack"))
    engine.run(operation.pk)
    expect(page.get_by_text("CloudFormation is making the stack")).to_be_visible()
    expect(bar).to_have_attribute("aria-valuenow", "83")
    console.picture("timeline-moving")
    page.locator("details").first.locator("summary").click()
    finish(operation)
    expect(page.locator(".cp-head").get_by_text("active")).to_be_visible()
    expect(page.locator("details").first).not_to_have_attribute("open", "")
    expect(page.locator("#cp-voice")).to_have_text("Onboard: succeeded, 6 of 6 steps")
    assert page.evaluate("window.stayed") is True
    console.picture("timeline-done")


def suspend_and_resume(page: Page, console: Watched) -> None:
    page.get_by_role("link", name="Suspend").click()
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    expect(page.locator("#plan")).to_contain_text("Cognito app client")
    console.picture("confirm-suspend")
    page.get_by_label("Reason").fill("Invoice 2291 is overdue")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("heading", name=re.compile("^Suspended"))).to_be_visible()
    expect(page.get_by_text("“Invoice 2291 is overdue”").first).to_be_visible()
    finish(Operation.objects.get(kind="suspend"))
    page.get_by_role("link", name="Resume").click()
    page.get_by_label("Reason").fill("Paid")
    page.get_by_role("button", name="Resume").click()
    finish(Operation.objects.get(kind="resume"))
    expect(page.locator(".cp-head").get_by_text("active")).to_be_visible()
    assert Tenant.objects.get().state == "active"


def test_a_failure_asks_for_the_operator_and_is_retried(watched: Open, world: PretendAws, ada: User) -> None:
    from tests.cast import asked

    ready_cell()
    world.next_for("secret", raising(RefusedError("User is not authorized to perform: secretsmanager:CreateSecret")))
    operation = asked("globex")
    console = watched(theme="dark")
    console.sign_in(ada)
    page = console.go("/console/")
    expect(page.get_by_text("nothing needs you")).to_be_visible()
    engine.run(operation.pk)
    expect(page.get_by_role("heading", name="Failed, and waiting for you")).to_be_visible()
    expect(page.get_by_text("secretsmanager:CreateSecret")).to_be_visible()
    console.picture("overview-failed")
    page.get_by_role("link", name="Retry", exact=True).click()
    page.get_by_label("Reason").fill("The role was corrected")
    page.get_by_role("button", name="Retry").click()
    finish(operation)
    expect(page.locator(".cp-head").get_by_text("active")).to_be_visible()


def test_a_lost_connection_is_said_and_found_again(watched: Open, world: PretendAws, ada: User) -> None:
    ready_cell()
    tenant = onboarded("acme")
    console = watched()
    console.sign_in(ada)
    page = console.go(f"/console/tenants/tenant/{tenant.pk}/change/")
    page.evaluate("document.querySelector('#tenant').dataset.liveSeconds = 1")
    page.route("**/live/", lambda route: route.abort())
    expect(page.locator("[data-live-note]")).to_have_text("No connection. Trying again", timeout=15_000)
    page.unroute("**/live/")
    expect(page.locator("[data-live-note]")).to_have_text("Live", timeout=15_000)
    console.complaints = [text for text in console.complaints if "ERR_FAILED" not in text]


def test_a_session_that_ended_elsewhere_goes_to_the_sign_in(watched: Open, world: PretendAws, ada: User) -> None:
    ready_cell()
    tenant = onboarded("acme")
    console = watched()
    console.sign_in(ada)
    page = console.go(f"/console/tenants/tenant/{tenant.pk}/change/")
    ada.groups.clear()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=15_000)


def test_ctrl_k_finds_a_tenant_by_keyboard(watched: Open, world: PretendAws, ada: User) -> None:
    ready_cell()
    onboarded("globex")
    console = watched()
    console.sign_in(ada)
    page = console.go("/console/")
    page.keyboard.press("Control+k")
    expect(page.locator("#search-input-command")).to_be_focused()  # a little after it opens; what is typed before is lost
    page.keyboard.type("glob", delay=40)
    expect(page.locator("#command-results-list")).to_contain_text("Globex")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".cp-head-title")).to_have_text("Globex")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_viewer_sees_no_way_to_act(watched: Open, world: PretendAws, vera: User, theme: str) -> None:
    ready_cell()
    tenant = onboarded("acme")
    console = watched(theme=theme)
    console.sign_in(vera)
    page = console.go(f"/console/tenants/tenant/{tenant.pk}/change/")
    expect(page.locator(".cp-head-title")).to_have_text("Acme")
    assert page.get_by_role("link", name="Suspend").count() == 0
    console.allowed = {403}
    page.goto(f"/console/tenants/tenant/{tenant.pk}/act/suspend/")
    expect(page.get_by_role("heading", name="Your role does not allow this")).to_be_visible()
