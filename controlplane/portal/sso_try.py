"""Trying a connection before it is switched on: the same way as a sign-in, by an owner who is signed in and stays who they are.

What a try has found is said to that owner and written at the connection; a try that found an active member is what switching on needs. An owner
who was found themselves is known to the provider from then on, so that nobody else comes in with their address.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse

from controlplane.portal import organisation, sessions, signin, sso_page, vouching
from controlplane.portal.access import may
from controlplane.portal.organisation import Journey, NotVouchedError
from controlplane.portal.pages import page
from controlplane.portal.sso_words import found
from core.aws.hosted import HostedAwayError
from core.aws.tokens import TokenKeysError, TokenRefusedError
from core.errors import ConflictError, ForbiddenError
from provisioning.connections import Readiness, readiness_of
from tenants.members import connections, vouched
from tenants.members.connections import GOOD
from tenants.members.models import Connection, Member


def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Send an owner to the provider, to see whether it knows them."""
    me = sessions.portal_of(request)
    row = connections.find(me.tenant.pk)
    if row is None or sso_page.why_not(me.tenant):
        raise Http404
    try:
        connections.require_same(row, request.POST.get("mark", ""))
        if readiness_of(me.tenant, row) is not Readiness.READY:
            raise ConflictError("Your user pool does not have this connection yet. Wait a moment, then try it.", code="not-ready")
        home = signin.next_url_of(request)
        address = organisation.leave(request, me.tenant, row, purpose=organisation.TRY, next_url=home, member=me.member.pk)
    except ConflictError as error:
        return sso_page.conflict(request, error)
    return page(request, "signin_leaving", section="sso", address=address)


def finish(request: HttpRequest, journey: Journey) -> HttpResponse:
    """Take the answer to a try, from the owner who began it. Raises NotVouchedError for anybody else, who learns and changes nothing."""
    portal = request.portal  # type: ignore[attr-defined]  # set by gate.PortalGate
    if portal.member is None or portal.member.pk != journey.member or not may(portal.member.role, "sso-try", "POST"):
        raise NotVouchedError("not-who-tried")
    me = sessions.portal_of(request)
    row = connections.find(me.tenant.pk)
    if row is None or sso_page.why_not(me.tenant):
        raise NotVouchedError("not-on")
    email = ""
    try:
        person = vouching.person_vouched_for(me.tenant, row, journey, request.GET)
        email = person.email
        member = vouching.member_vouched_for(me.tenant, row, person)
    except (NotVouchedError, TokenRefusedError) as error:
        return _tell(request, row, journey, error.reason, email)
    except (HostedAwayError, TokenKeysError):
        return _tell(request, row, journey, "hosted-away", email)
    if member.pk == me.member.pk:
        vouched.know_oneself(actor=me.actor, tenant_id=me.tenant.pk, by=person.by)
    return _tell(request, row, journey, GOOD, email, member)


def _tell(
    request: HttpRequest, row: Connection, journey: Journey, outcome: str, email: str, member: Member | None = None
) -> HttpResponse:
    me = sessions.portal_of(request)
    try:
        connections.note_try(actor=me.actor, tenant_id=me.tenant.pk, mark=journey.mark, outcome=outcome)
    except (ConflictError, ForbiddenError) as error:
        return sso_page.conflict(request, error)
    who = f"Your provider signed in {email}. " if email else ""
    if member is None:
        messages.error(request, f"{who}{found(outcome)}")
    else:
        messages.success(request, f"{who}It worked: that is {'you' if member.pk == me.member.pk else member}.")
    return signin.to(request, "sso")
