"""Signing in through the organisation's identity provider: the way out, and the way back.

The way out is a POST, so that no page of the web can start it, and is answered with a page that leads on by itself: the content security policy
lets no form end at another host, a redirect after it included. Whatever comes back and is not in order is refused in one set of words,
written down with a slug, and counted; the session of whoever is signed in stays as it is.
"""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from controlplane.portal import organisation, pending, sessions, signin, sso_try, throttle, vouching
from controlplane.portal.organisation import Journey, NotVouchedError
from controlplane.portal.pages import page
from controlplane.portal.signin_forms import PasswordForm
from controlplane.portal.throttle import HeldUpError, ThrottleAwayError
from core.aws.hosted import HostedAwayError
from core.aws.tokens import TokenKeysError, TokenRefusedError
from core.errors import ConflictError
from tenants.members import connections, signing_in
from tenants.members.models import Member
from tenants.members.signing_in import NotAdmittedError

logger = logging.getLogger(__name__)

REFUSED = (
    "Your organisation's sign-in did not let you in here. Begin again; if that does not help, ask a colleague who looks after members "
    "whether you are invited."
)
AWAY = (HostedAwayError, TokenKeysError, ThrottleAwayError, ConflictError)


def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Send somebody to the organisation's identity provider."""
    tenant = sessions.tenant_of(request)
    if sessions.is_signed_in(request):
        return HttpResponseRedirect(signin.next_url_of(request))
    row = connections.find_on(tenant)
    if row is None:
        return signin.first_page(request, PasswordForm(), status=409, refusal="Passwords are the way to sign in here now.")
    try:
        address = organisation.leave(request, tenant, row, purpose=organisation.SIGN_IN, next_url=signin.next_url_of(request))
    except ConflictError as error:
        return _away(request, error)
    return page(request, "signin_leaving", address=address)


def callback(request: HttpRequest, slug: str) -> HttpResponse:
    """Take what the hosted endpoint sends a browser back with."""
    tenant, counts = sessions.tenant_of(request), throttle.of_organisation(signin.address_of(request))
    try:
        if wait := throttle.wait_seconds(counts):
            return _say(request, 429, HeldUpError(wait).detail)
        journey = organisation.come_back(request, tenant, request.GET.get("state", ""))
        if journey.purpose == organisation.TRY:
            return sso_try.finish(request, journey)
        return _finish(request, journey)
    except (NotVouchedError, TokenRefusedError, NotAdmittedError) as error:
        return _refuse(request, getattr(error, "reason", error.code), counts, getattr(error, "member", None))
    except AWAY as error:
        return _away(request, error)


def _finish(request: HttpRequest, journey: Journey) -> HttpResponse:
    tenant = sessions.tenant_of(request)
    if sessions.is_signed_in(request):
        return HttpResponseRedirect(journey.next_url)  # by another window, meanwhile
    row = connections.find_on(tenant)
    if row is None:
        raise NotVouchedError("not-on")
    person = vouching.person_vouched_for(tenant, row, journey, request.GET)
    member = vouching.member_vouched_for(tenant, row, person)
    return signin.go_on(request, member, journey.next_url, way=pending.ORGANISATION, by=person.by)


def _refuse(request: HttpRequest, why: str, counts: dict[str, throttle.Patience], member: Member | None) -> HttpResponse:
    is_held_up = throttle.note_failure(counts)
    tenant, address = sessions.tenant_of(request), signin.address_of(request)
    said = f"organisation, {why}" + (", and held up" if is_held_up else "")
    signing_in.note_refused(tenant_id=tenant.pk, member=member, why=said, address=address)
    return _say(request, 403, REFUSED)


def _say(request: HttpRequest, status: int, text: str) -> HttpResponse:
    """Say why nobody came in: where one begins again, or to somebody who is signed in and stays so."""
    if sessions.is_signed_in(request):
        home = signin.next_url_of(request)
        return page(request, "members_refused", status=status, error={"title": "Not accepted", "detail": text}, back_url=home)
    return signin.first_page(request, PasswordForm(), status=status, refusal=text)


def _away(request: HttpRequest, error: Exception) -> HttpResponse:
    tenant = sessions.tenant_of(request)
    logger.warning("nobody can sign in through the organisation", extra={"tenant": tenant.pk, "error": getattr(error, "code", "")})
    return _say(request, 503, signin.AWAY)
