"""The demo's chapter on people: a new tenant's administrator and a colleague, through the portal's own pages and mails."""

from __future__ import annotations

import html
import re
import time
from email import message_from_string
from pathlib import Path

from django.conf import settings

from controlplane.embedded.demo.stage import Stage
from controlplane.embedded.demo.visitor import Page, Visitor
from core.actors import operator
from provisioning.identity import set_first_password
from tenants.keys.verification import verify
from tenants.members import invitations, selectors
from tenants.members.models import MemberState
from tenants.models import Tenant
from tenants.selectors import get_tenant

ACTOR = operator("demo", "the demo")
SLUG, NEIGHBOUR, SILENT = "globex", "acme", "acmes"
AGAIN_SECONDS = 3.0
AT = f"/portal/{SLUG}/"
OF_ADMINISTRATOR, OF_COLLEAGUE = "Correct-horse-7-battery", "Staple-horse-8-correct"  # made-up people's, in a stand-in
COLLEAGUE = "dee@globex.example"
MAY_NOT = "Your role may not do this"


def tell(stage: Stage) -> None:
    """A first sign-in, a key, an invitation; what the invited colleague may do and may not; and somebody who never came."""
    stage.chapter("8. Globex's administrator opens the portal")
    tenant = get_tenant(SLUG)
    with Visitor(settings.PORTAL_URL) as administrator, Visitor(settings.PORTAL_URL) as colleague:
        _come_in(stage, tenant, administrator)
        _issue(stage, administrator, "the administrator issues a key, and it verifies", name="from the portal")
        _invite(stage, administrator, colleague)
        _issue(stage, colleague, "a developer issues a key, and it verifies", name="from a developer")
        _refuse(stage, tenant, colleague)
        _disable(stage, tenant, administrator, colleague)
    _invite_again(stage)


def _come_in(stage: Stage, tenant: Tenant, visitor: Visitor) -> None:
    first = set_first_password(actor=ACTOR, tenant_id=tenant.pk, reason="the demo's first sign-in at the portal")
    page = visitor.open(AT)
    stage.promise("whoever is not signed in is asked to", _is_at(page, "sign-in/"), vital=True)
    page = visitor.send(email=tenant.admin_email, password="Wrong-password-1")  # noqa: S106
    stage.promise("a wrong password is refused", page.status == 422 and _is_at(page, "sign-in/"))
    page = visitor.send(email=tenant.admin_email, password=first)
    stage.promise("the first password must be changed", _is_at(page, "sign-in/password/"), vital=True)
    page = visitor.send(password=OF_ADMINISTRATOR, again=OF_ADMINISTRATOR)
    stage.promise("with a password of their own the administrator is in", page.status == 200 and _is_at(page, "keys/"), vital=True)
    with Visitor(settings.PORTAL_URL) as thief:
        thief.open(f"{AT}sign-in/")
        stage.promise(
            "the first password opens nothing any more", thief.send(email=tenant.admin_email, password=first).status == 422
        )


def _issue(stage: Stage, visitor: Visitor, promise: str, *, name: str) -> None:
    visitor.open(f"{AT}keys/issue/")
    page = visitor.send(name=name, environment="live", scopes=["events:write"], expiry="90")
    shown = re.search(r"<textarea[^>]*data-secret>([^<]+)</textarea>", page.text)
    text = html.unescape(shown[1]) if shown else ""
    stage.promise(promise, bool(text) and verify(text, scopes=["events:write"]).is_valid)
    stage.promise("its text is shown on that one page", bool(text) and text not in visitor.open(f"{AT}keys/").text)


def _invite(stage: Stage, administrator: Visitor, colleague: Visitor) -> None:
    administrator.open(f"{AT}members/invite/")
    page = administrator.send(email=COLLEAGUE, name="", role="developer")
    stage.promise("a colleague is invited as developer", f"{COLLEAGUE} is invited" in html.unescape(page.text), vital=True)
    link = _mailed(stage, COLLEAGUE)
    page = colleague.open(link)
    stage.promise("the mailed link leads to a page that asks for a password", _is_at(page, "welcome/"), vital=True)
    page = colleague.send(name="Dee", password=OF_COLLEAGUE, again=OF_COLLEAGUE)
    if not _is_at(page, "sign-in/"):
        # Nobody reads mail so fast: in the moment in which a worker makes the person in the user pool the page says to try again.
        time.sleep(AGAIN_SECONDS)
        colleague.open(link)
        page = colleague.send(name="Dee", password=OF_COLLEAGUE, again=OF_COLLEAGUE)
    stage.promise("the colleague chooses one", page.status == 200 and _is_at(page, "sign-in/"), vital=True)
    page = colleague.send(email=COLLEAGUE, password=OF_COLLEAGUE)
    stage.promise("and signs in with it", page.status == 200 and _is_at(page, "keys/"), vital=True)
    with Visitor(settings.PORTAL_URL) as late:
        stage.promise("the link works once", late.open(link).status == 410)


def _refuse(stage: Stage, tenant: Tenant, visitor: Visitor) -> None:
    """Look at the rows afterwards too: a refusal that has done something is none."""
    administrator, oneself = selectors.find_first(tenant.pk), selectors.find_by_address(tenant.pk, COLLEAGUE)
    assert administrator is not None
    assert oneself is not None
    visitor.open(f"{AT}members/")
    before = list(selectors.list_members(tenant_id=tenant.pk).values_list("pk", "state", "role", "revision"))
    attempts = {
        "to invite": visitor.force(f"{AT}members/invite/", email="eve@globex.example", role="viewer"),
        "to change what everybody needs to sign in": visitor.force(f"{AT}members/policy/", totp_required="yes", revision="1"),
        "to disable the administrator": visitor.force(
            f"{AT}members/{administrator.pk}/disable/", revision=str(administrator.revision)
        ),
        "to become an owner": visitor.force(f"{AT}members/{oneself.pk}/role/", role="owner", revision=str(oneself.revision)),
    }
    for what, page in attempts.items():
        is_refused = page.status == 403 and page.heading == MAY_NOT
        stage.promise(f"a developer is refused {what} (403)", is_refused, "" if is_refused else f"{page.status} {page.heading}")
    after = list(selectors.list_members(tenant_id=tenant.pk).values_list("pk", "state", "role", "revision"))
    stage.promise("and nothing has changed", before == after and not selectors.get_policy(tenant.pk).totp_required)
    there = [visitor.open(f"/portal/{NEIGHBOUR}/{path}").status for path in ("members/", "keys/", "")]
    stage.promise(f"at {NEIGHBOUR.title()}'s portal there is nothing for a colleague of Globex (404)", there == [404] * 3)


def _disable(stage: Stage, tenant: Tenant, administrator: Visitor, colleague: Visitor) -> None:
    row = selectors.find_by_address(tenant.pk, COLLEAGUE)
    assert row is not None
    administrator.open(f"{AT}members/{row.pk}/disable/")
    administrator.send(reason="the demo")
    stage.promise("whoever is disabled is out at the next click", _is_at(colleague.open(f"{AT}keys/"), "sign-in/"))


def _invite_again(stage: Stage) -> None:
    tenant = get_tenant(SILENT)
    stage.say(f"the administrator of {tenant.name} never came: an operator sends the invitation again")
    invitations.send_first_again(actor=ACTOR, tenant_id=tenant.pk, reason="never came")
    link = _mailed(stage, tenant.admin_email)
    with Visitor(settings.PORTAL_URL) as visitor:
        visitor.open(link)
        visitor.send(name="Katherine J.", password=OF_COLLEAGUE, again=OF_COLLEAGUE)
        page = visitor.send(email=tenant.admin_email, password=OF_COLLEAGUE)
        stage.promise("the administrator follows the new link, and is in", page.path == f"/portal/{SILENT}/keys/")
    first = selectors.find_first(tenant.pk)
    stage.promise("and has joined", first is not None and first.state == MemberState.ACTIVE)


def _mailed(stage: Stage, address: str) -> str:
    """Give the link in the newest mail to somebody, from the folder where mails land; waits for the worker that sends them."""
    stage.wait(f"the mail to {address}", lambda: int(bool(_links_to(address))), 1)
    return _links_to(address)[-1]


def _links_to(address: str) -> list[str]:
    found = []
    for path in sorted(Path(settings.EMAIL_FILE_PATH).glob("*"), key=lambda path: path.stat().st_mtime_ns):
        mail = message_from_string(path.read_text("utf-8"))
        found += re.findall(r"\S+/welcome/\?link=[\w-]+", str(mail.get_payload())) if mail["To"] == address else []
    return found


def _is_at(page: Page, path: str) -> bool:
    return page.path == AT + path
