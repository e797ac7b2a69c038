"""The same pages over the real engine and the AWS stand-in: a cell is prepared, a silo onboarded, and its first password really works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection
from playwright.sync_api import Error, expect

from tests.browser.conftest import Watched
from tests.cast import OPERATOR

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tenants.models import Cell
    from tests.services import StandIn

Open = Callable[..., Watched]


@pytest.fixture
def registered(footing: Footing, standin: StandIn, transactional_db: None) -> Cell:
    """The embedded cell, known and not prepared."""
    from controlplane.embedded.bootstrap import CELL_CODE, ENVIRONMENT, PARTITION, STANDIN_CAPABILITIES
    from tenants.seed import seed_cell, seed_tiers
    from tests.services import REGION

    seed_tiers()
    return seed_cell(
        code=CELL_CODE,
        environment=ENVIRONMENT,
        partition=PARTITION,
        region=REGION,
        account_id=standin.account_id,
        role_arn=footing.role_arn,
        capabilities=asdict(STANDIN_CAPABILITIES),
    )


@contextmanager
def worker() -> Iterator[None]:
    """A worker in a thread, as a deployment has them in processes: it looks for what is due until the block ends."""
    from provisioning import claims, engine

    stop = threading.Event()

    def work() -> None:
        close_old_connections()
        while not stop.wait(0.05):
            for operation_id in list(claims.list_due(limit=5)):
                engine.run(operation_id)
        connection.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def test_from_an_empty_cell_to_a_working_password(
    watched: Open, registered: Cell, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning.identity import identity_of
    from provisioning.models import Resource, Step
    from tenants import clouds
    from tenants.models import Tenant
    from tenants.naming import session_name
    from tenants.selectors import facts_of

    monkeypatch.setattr("provisioning.doorbell.ring", lambda operation_id, *, delay_seconds=0: None)
    console = watched()
    console.sign_in(ada)
    page = console.go("/console/")
    page.get_by_role("link", name="Open it").click()
    page.get_by_role("link", name="Prepare").click()
    page.get_by_label("Reason").fill("First cell")
    page.get_by_role("button", name="Prepare").click()
    with worker():
        expect(page.locator(".cp-head").get_by_text("ready")).to_be_visible(timeout=30_000)
        page.goto("/console/tenants/tenant/add/?tier=premium")
        page.get_by_label("Name", exact=True).fill("Globex")
        page.get_by_label("E-mail").fill("admin@globex.example")
        page.get_by_label("Reason").fill("Contract CT-1")
        page.get_by_role("button", name="Onboard").click()
        expect(page.locator(".cp-head").get_by_text("active")).to_be_visible(timeout=30_000)
    expect(page.locator(".cp-step.is-succeeded")).to_have_count(Step.objects.filter(operation__tenant__slug="globex").count())
    console.picture("real-timeline")
    assert page.locator(".cp-request code").count() > 0
    tenant = Tenant.objects.select_related("tier", "cell").get(slug="globex")
    assert set(Resource.objects.filter(tenant=tenant).values_list("state", flat=True)) == {"present"}

    page.get_by_role("link", name="Set first password").click()
    page.get_by_label("Reason").fill("The invitation never came; caller verified")
    page.get_by_role("button", name="Set first password").click()
    password = page.get_by_test_id("first-password").inner_text()
    identity, facts = identity_of(tenant), facts_of(tenant)
    aws = clouds.connect_to(facts.cell, session_name=session_name(facts.id, OPERATOR))
    signed = aws.signing_in.start(
        pool_id=identity.pool_id, client_id=identity.client_id, username=identity.username, password=password
    )
    assert signed.challenge == "NEW_PASSWORD_REQUIRED"
    page.get_by_role("link", name="I have handed it over").click()
    expect(page.get_by_text("Onboard: succeeded")).to_be_visible()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()  # the browser was told to keep nothing, and shows an error of its own
