"""The portal's sessions: apart from the operators' in cookie, path and signature, bounded in age, and asked anew at every request.

Below ``/portal/`` ``request.session`` is the portal's and the operators' is out of reach; elsewhere it is the other way round. A session
holds who signed in, to which tenant, in which epoch, when and how; whether that is still true is read from the member's row each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from core.actors import Actor
from tenants.members import selectors, signing_in
from tenants.members.models import Member
from tenants.models import Tenant

PREFIX = "/portal/"
KEY = "portal.member"
SEEN_EVERY_SECONDS = 60
"""How often it is written down that somebody is still there."""


class PortalSession(SessionStore):
    """A session whose signature no other kind of session shares: an operator's does not read here, nor this one there."""


@dataclass(frozen=True, slots=True)
class Portal:
    """Whose portal a request asks for, and who asks; ``member`` is None only on pages that need nobody signed in."""

    tenant: Tenant
    member: Member | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The portal of somebody who is signed in."""

    tenant: Tenant
    member: Member

    @property
    def actor(self) -> Actor:
        """The member's hand, for services and the audit log."""
        return signing_in.member_actor(self.member)


def portal_of(request: HttpRequest) -> SignedIn:
    """Give the tenant and the member behind a request to a page for people who are signed in."""
    portal: Portal = request.portal  # type: ignore[attr-defined]  # set by gate.PortalGate
    if portal.member is None:
        raise Http404
    return SignedIn(portal.tenant, portal.member)


def tenant_of(request: HttpRequest) -> Tenant:
    """Give whose portal it is, on any of its pages."""
    portal: Portal = request.portal  # type: ignore[attr-defined]  # set by gate.PortalGate
    return portal.tenant


class PortalSessions:
    """Middleware that stands below Django's own: it lends portal paths a session of their own and puts the other one back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a portal path with the portal's session in place; leave every other path alone."""
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        operators = request.session
        request.session = PortalSession(request.COOKIES.get(settings.PORTAL_SESSION_COOKIE_NAME))
        try:
            response = self.get_response(request)
            _keep(request, response)
        finally:
            request.session = operators
        patch_vary_headers(response, ("Cookie",))
        add_never_cache_headers(response)
        return response


def _keep(request: HttpRequest, response: HttpResponse) -> None:
    name, session = settings.PORTAL_SESSION_COOKIE_NAME, request.session
    if session.is_empty():
        if name in request.COOKIES:
            response.delete_cookie(name, path=PREFIX, samesite="Lax")
        return
    if not session.modified or response.status_code == 500:
        return
    try:
        session.save()
    except UpdateError:
        # Ended in another window while this request was under way: it stays ended.
        response.delete_cookie(name, path=PREFIX, samesite="Lax")
        return
    key = session.session_key or ""
    response.set_cookie(name, key, path=PREFIX, httponly=True, secure=settings.USE_TLS, samesite="Lax")


def begin(request: HttpRequest, member: Member, *, how: str) -> None:
    """Sign a member in: a fresh session under a fresh key, with nothing of what was in the old one."""
    request.session.flush()
    now = time.time()
    request.session[KEY] = {
        "member": member.pk,
        "tenant": member.tenant_id,
        "epoch": member.epoch,
        "how": how,
        "began": now,
        "seen": now,
    }
    request.session.set_expiry(settings.PORTAL_SESSION_SECONDS)


def end(request: HttpRequest) -> None:
    """Sign out of this session."""
    request.session.flush()


def member_of_session(request: HttpRequest, tenant: Tenant, *, is_open: bool) -> Member | None:
    """Give who is signed in to this tenant's portal, read from the row now; None for nobody.

    Raises Http404 for somebody who is signed in to another tenant, unless the page is open to everybody. A session that is too old, or
    whose member may not come in any more, is ended here.
    """
    kept = request.session.get(KEY)
    if not isinstance(kept, dict):
        return None
    now, seen = time.time(), float(kept["seen"])
    is_fresh = now - float(kept["began"]) < settings.PORTAL_SESSION_SECONDS and now - seen < settings.PORTAL_IDLE_SECONDS
    member = selectors.find_of_session(str(kept["member"]), int(kept["epoch"])) if is_fresh else None
    if member is None or member.tenant_id != kept["tenant"]:
        end(request)
        return None
    if member.tenant_id != tenant.pk:
        if is_open:
            return None
        raise Http404
    if now - seen >= SEEN_EVERY_SECONDS:
        request.session[KEY] = {**kept, "seen": now}
        signing_in.note_seen(member)
    member.tenant = tenant
    return member


def is_signed_in(request: HttpRequest) -> bool:
    """Say whether somebody is signed in to the portal that a request asks for."""
    portal: Portal = request.portal  # type: ignore[attr-defined]  # set by gate.PortalGate
    return portal.member is not None
