"""What every test stands on: settings wired to embedded parts, one set a test process, and the fixtures that hand them out.

The embedded default is SQLite in a file (threads share it; memory they would not), a Valkey and an AWS stand-in of this process's own.
``DATABASE_URL`` and ``REDIS_URL`` choose a real PostgreSQL and Redis instead; the stand-in is always ours, and ambient AWS credentials
are always overwritten, so that no test can reach an account. The environment is set while this file is read, before Django is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import django
import hypothesis
import pytest
import redis

from tests.services import REGION, ROOT_ENVIRONMENT, HeldPort, StandIn, Valkey, stand_on

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from controlplane.embedded.bootstrap import Footing
    from core.aws.session import Aws
    from tests.local_provider import LocalProvider

pytest_plugins = ["tests.append_only"]

MARKER_KEY = "controlplane-tests"
"""Says that a Redis database is the tests' to empty."""
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


class Parts:
    """The parts of this test process. The addresses are settled at once; the stand-in itself starts at first use."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="controlplane-test-"))
        self.valkey: Valkey | None = None
        self.standin = StandIn(HeldPort())
        self.redis_url = ""

    def start(self) -> None:
        """Choose Redis, and wire the environment that the settings are about to read."""
        self.redis_url = self._redis_url()
        os.environ.update(
            DJANGO_SETTINGS_MODULE="controlplane.settings",
            CONTROLPLANE_ENVIRONMENT="dev",
            CONTROLPLANE_ENV_FILE=str(self.folder / "no.env"),
            CONTROLPLANE_STATE_DIR=str(self.folder),
            CONTROLPLANE_LOG_LEVEL="WARNING",
            REDIS_URL=self.redis_url,
            AWS_ENDPOINT_URL=self.standin.endpoint_url,
            AWS_EC2_METADATA_DISABLED="true",
            # Tests ask faster than anybody may; those that are about the doors' limits set their own.
            CONTROLPLANE_API_BURST="1000000",
            CONTROLPLANE_PORTAL_TENANT_BURST="1000000",
            CONTROLPLANE_PORTAL_MEMBER_BURST="1000000",
            CONTROLPLANE_HOOKS_BURST="1000000",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            **ROOT_ENVIRONMENT,
        )

    def _redis_url(self) -> str:
        given = os.environ.get("REDIS_URL", "")
        if not given:
            self.valkey = Valkey()
            self.valkey.start()
            return self.valkey.url
        parts = urlsplit(given)
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        url = urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + worker}"))
        with redis.Redis.from_url(url) as client:
            if client.dbsize() and not client.exists(MARKER_KEY):
                raise pytest.UsageError(
                    "REDIS_URL names a database that is not empty. The tests empty theirs: give them one of their own."
                )
            client.flushdb()
            client.set(MARKER_KEY, "1")
        return url

    def stop(self) -> None:
        """End what was started and remove what was written; repeatable."""
        self.standin.port.release()
        self.standin.stop()
        if self.valkey is not None:
            self.valkey.stop()
        elif self.redis_url:
            with redis.Redis.from_url(self.redis_url) as client:
                client.flushdb()
        self.redis_url = ""
        shutil.rmtree(self.folder, ignore_errors=True)


for _name in [name for name in os.environ if name.startswith(("AWS_", "CONTROLPLANE_", "DJANGO_"))]:
    del os.environ[_name]
PARTS = Parts()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the parts, then Django, before pytest-django (whose turn comes last) guards the database.

    The process that only deals tests out to xdist's workers starts nothing and must not set the environment: the workers inherit it.
    """
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        return
    PARTS.start()
    django.setup()


def pytest_unconfigure() -> None:
    """End the parts; what a killed run leaves, the kernel ends."""
    PARTS.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Put the test database into a file: threads share a file, and WAL and locking behave as they do outside tests."""
    from django.conf import settings  # Django is set up after this file is read

    database = settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        database.setdefault("TEST", {})["NAME"] = str(PARTS.folder / "test.sqlite3")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis database of this test process's own. Not emptied between tests: use keys of your own, or ``clean_redis``."""
    return PARTS.redis_url


@pytest.fixture
def clean_redis(redis_url: str) -> Iterator[redis.Redis]:
    """A client on an empty database."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        client.set(MARKER_KEY, "1")
        yield client


@pytest.fixture(scope="module")
def standin() -> StandIn:
    """The AWS stand-in of this test process, with IAM enforcement on, empty. Shared by all tests of a module: use names of your own.

    It is emptied for each module, because it slows down as it fills: with a thousand tenants in it everything takes ten times as long.
    """
    if PARTS.standin.process is None:
        PARTS.standin.start()
    else:
        PARTS.standin.empty()
    return PARTS.standin


@pytest.fixture(scope="module")
def footing(standin: StandIn) -> Footing:
    """The least-privilege user and the provisioner's role, made as ``manage.py up`` makes them; the process now works as that user."""
    return stand_on(standin)


@pytest.fixture(scope="module")
def aws(footing: Footing, standin: StandIn) -> Aws:
    """The gateways under the provisioner's role, without pacing."""
    from core.aws.session import Target, connect

    target = Target("aws", REGION, standin.account_id, footing.role_arn, standin.endpoint_url)
    return connect(target, session_name="tests")


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    """An identity provider of somebody's own, on loopback."""
    from tests.local_provider import LocalProvider  # it makes itself a key

    made = LocalProvider()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the system's; without one the test is skipped, except in CI, where that is a failure."""
    from playwright.sync_api import sync_playwright  # tests without a browser need not pay for it

    executable = next((path for path in BROWSERS if Path(path).exists()), None)
    if executable is None:
        complaint = f"no browser at {', '.join(BROWSERS)}: the pages were NOT tested (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)
    # Playwright's synchronous calls keep an event loop in this thread, where Django would refuse every query.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own: no cookie of another test."""
    context = browser.new_context()
    yield context.new_page()
    context.close()
