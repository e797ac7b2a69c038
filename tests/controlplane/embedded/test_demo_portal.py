"""The demo's chapter on people, told against a web server of the test's own: it keeps its promises, and notices one that is broken."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from controlplane.embedded.demo.stage import Stage
from controlplane.embedded.demo.visitor import Page, Visitor

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

    from controlplane.embedded.bootstrap import Footing
    from tests.services import StandIn

FORMS = """<h1>
 Members </h1><form method="get"><input name="q"></form>
<form method="post" action="/out/"><input type="hidden" name="csrfmiddlewaretoken" value="t&amp;1"></form>
<form method="POST"><input type="hidden" name="csrfmiddlewaretoken" value="t2"><input type="hidden" name="revision" value="7">
<select name="role"></select><textarea name="reason"></textarea></form>"""


def test_a_form_is_found_by_its_fields_and_keeps_what_is_hidden() -> None:
    page = Page(200, "/members/", FORMS)
    assert page.heading == "Members"
    form = page.form_with("role", "reason")
    assert (form.action, form.hidden) == ("", {"csrfmiddlewaretoken": "t2", "revision": "7"})
    assert page.form_with("csrfmiddlewaretoken").hidden == {"csrfmiddlewaretoken": "t&1"}
    with pytest.raises(LookupError, match="has no form with q"):
        page.form_with("q")


@pytest.fixture
def stage(
    live_server: LiveServer,
    footing: Footing,
    standin: StandIn,
    clean_redis: object,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    """The chapter's tenants, a web server, and mails that are sent with the commit, into a folder."""
    from core.outbox import doorbell
    from tenants.members import mailing
    from tenants.members.telling import MAIL_TASK
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    def send(task: str, *args: object, **options: object) -> None:
        if task == MAIL_TASK:
            mailing.send_due()

    monkeypatch.setattr(doorbell, "send", send)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.PORTAL_URL = live_server.url
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    prepared_cell(footing, standin)
    for slug, tier in (("globex", "premium"), ("acme", "basic"), ("acmes", "basic")):
        real_tenant(slug, tier_code=tier)
    return Stage(Console(file=io.StringIO()))


@pytest.mark.django_db(transaction=True)
def test_the_chapter_keeps_its_promises(stage: Stage) -> None:
    from controlplane.embedded.demo import portal

    portal.tell(stage)
    assert stage.broken == []
    assert len(stage.kept) == 23
    assert any("(404)" in promise for promise in stage.kept)


@pytest.mark.django_db(transaction=True)
def test_the_chapter_notices_a_developer_who_may_invite(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from controlplane.embedded.demo import portal
    from controlplane.portal import access

    monkeypatch.setitem(access.RULES, "member-invite", dict.fromkeys(("GET", "POST"), access.RULES["members"]["GET"]))
    portal.tell(stage)
    assert stage.broken == ["a developer is refused to invite (403)"]


@pytest.mark.django_db(transaction=True)
def test_a_visitor_is_not_led_elsewhere(live_server: LiveServer) -> None:
    with Visitor(live_server.url) as visitor:
        assert visitor.open("/portal/nowhere/").status == 404
        with pytest.raises(LookupError, match="led to"):
            visitor.open("http://elsewhere.example/portal/")
