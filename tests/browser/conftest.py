"""A console in a real browser: a live server, the real resource kinds over a pretended AWS, and pages that notice what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.controlplane.console.pretend import PretendAws

ARTIFACTS = Path(__file__).resolve().parents[2] / "test-artifacts"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(autouse=True)
def _database_beside_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playwright keeps an event loop in this thread; the tests use the database from it all the same, one at a time."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[PretendAws]:
    from tests.controlplane.console.pretend import pretended_aws

    with pretended_aws(monkeypatch) as aws:
        yield aws


@pytest.fixture
def ada(transactional_db: None) -> User:
    from tests.controlplane.console.people import account

    return account("ada", "operator", first_name="Ada", last_name="Moreau")


@pytest.fixture
def vera(transactional_db: None) -> User:
    from tests.controlplane.console.people import account

    return account("vera", "viewer", first_name="Vera", last_name="Lind")


class Watched:
    """A browser context whose pages must not fail, log an error, or ask another host."""

    def __init__(self, browser: Browser, base: str, *, theme: str, size: dict[str, int]) -> None:
        self.base, self.theme = base, theme
        self.context: BrowserContext = browser.new_context(base_url=base, viewport=size, color_scheme=theme)  # type: ignore[arg-type]
        self.context.add_init_script(f"try {{ localStorage.setItem('adminTheme', '\"{theme}\"') }} catch {{ }}")
        self.complaints: list[str] = []
        self.allowed: set[int] = set()
        self.page: Page = self.context.new_page()
        self.page.on(
            "console", lambda message: self._note(message.type == "error" and "status of" not in message.text, message.text)
        )
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on(
            "request", lambda request: self._note(urlsplit(request.url).netloc not in ("", urlsplit(base).netloc), request.url)
        )
        self.page.on(
            "response",
            lambda answer: self._note(answer.status >= 400 and answer.status not in self.allowed, f"{answer.status} {answer.url}"),
        )

    def _note(self, bad: bool, what: str) -> None:
        if bad and not what.startswith("data:"):
            self.complaints.append(what)

    def sign_in(self, user: User) -> None:
        """Come in with a session that has passed both factors."""
        from tests.controlplane.console.people import signed_in

        cookie = signed_in(user).cookies["session"].value
        self.context.add_cookies([{"name": "session", "value": cookie, "url": self.base}])

    def go(self, path: str) -> Page:
        """Open a page and wait until its script has run."""
        self.page.goto(path)
        self.page.wait_for_load_state("load")
        self.page.wait_for_function("document.documentElement.hasAttribute('x-cloak') === false")
        return self.page

    def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture for people to look at."""
        ARTIFACTS.mkdir(exist_ok=True)
        width = self.page.viewport_size["width"] if self.page.viewport_size else 0
        kind = "wide" if width > 600 else "narrow"
        self.page.screenshot(path=ARTIFACTS / f"{name}-{kind}-{self.theme}.png", full_page=whole)


@pytest.fixture
def watched(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Watched]]:
    """Give a function that opens a watched context; what it noticed fails the test."""
    opened: list[Watched] = []

    def open_one(*, theme: str = "light", size: dict[str, int] = WIDE) -> Watched:
        opened.append(Watched(browser, live_server.url, theme=theme, size=size))
        return opened[-1]

    yield open_one
    for one in opened:
        one.context.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a browser."""
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)
