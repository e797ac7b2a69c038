"""Mailed links: asking for one, and following one.

The link's text comes in the query, which no log holds; the first look moves it into the session and asks for the page again without it, so that
neither the address bar nor a referrer keeps it. Looking uses nothing up: mail scanners look too.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from controlplane.portal import sessions, signin, throttle
from controlplane.portal.pages import page
from controlplane.portal.signin_forms import ForgottenForm, NewPasswordForm, WelcomeForm
from core.aws.signing_in import InvalidPasswordError
from core.errors import DomainError
from provisioning import people
from tenants.members import connections, links, signing_in
from tenants.members.links import LinkBusyError, LinkNotGoodError
from tenants.members.models import LinkPurpose, Member, Role
from tenants.models import Tenant

logger = logging.getLogger(__name__)

KEY = "portal.link"
LASTS_SECONDS = 1_800
SENT = "If there is somebody with this address here, a link is on its way. The mail says how long it is good."


def forgotten(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a link to choose a password with, a first one too. The answer is the same whether or not the person exists."""
    form = ForgottenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        counts = throttle.of_links(signin.address_of(request))
        try:
            if wait := throttle.wait_seconds(counts):
                form.add_error(None, f"Too many requests. Try again in {wait} second{'s' if wait > 1 else ''}.")
                return page(request, "signin_forgotten", status=429, form=form)
            throttle.note_failure(counts)
        except throttle.ThrottleAwayError:
            form.add_error(None, signin.AWAY)
            return page(request, "signin_forgotten", status=503, form=form)
        tenant = sessions.tenant_of(request)
        signing_in.ask_for_link(tenant_id=tenant.pk, email=form.cleaned_data["email"], address=signin.address_of(request))
        messages.success(request, SENT)
        return signin.to(request, "sign-in")
    return page(request, "signin_forgotten", status=422 if form.is_bound else 200, form=form)


@sensitive_post_parameters("password", "again")
@sensitive_variables("text")
def welcome(request: HttpRequest, slug: str) -> HttpResponse:
    """Follow a link: an invitation, or the right to choose a new password."""
    given = request.GET.get("link", "")
    if given:
        request.session[KEY] = {"text": given[:200], "at": time.time()}
        return signin.to(request, "welcome")
    tenant, text = sessions.tenant_of(request), _text(request)
    try:
        member = links.get_by_link(tenant.pk, text)
    except LinkNotGoodError:
        return _not_good(request)
    is_invitation = member.link_purpose == LinkPurpose.INVITATION
    by_provider = is_invitation and _comes_by_provider(tenant, member)
    form_class = WelcomeForm if is_invitation else NewPasswordForm
    form = form_class(request.POST or None, initial={"name": member.name})
    if request.method == "POST" and not by_provider and form.is_valid():
        try:
            people.choose_password(
                tenant=tenant, text=text, password=form.cleaned_data["password"], name=form.cleaned_data.get("name", "")
            )
        except LinkNotGoodError:
            return _not_good(request)
        except LinkBusyError as error:
            form.add_error(None, error.detail)
            return page(request, "welcome", status=409, form=form, account=member, is_invitation=is_invitation)
        except InvalidPasswordError:
            form.add_error("password", signin.POLICY_REFUSED)
        except DomainError as error:
            logger.warning("a link could not be followed", extra={"tenant": tenant.pk, "error": error.code})
            form.refuse(error) if error.errors else form.add_error(None, signin.AWAY)
        else:
            sessions.end(request)
            messages.success(request, "Your password is set. Sign in with it.")
            return signin.to(request, "sign-in")
    status = 422 if form.is_bound else 200
    context: dict[str, Any] = {"is_invitation": is_invitation, "by_provider": by_provider}
    return page(request, "welcome", status=status, form=form, account=member, **context)


def _comes_by_provider(tenant: Tenant, member: Member) -> bool:
    """Say whether an invited person is to join through the organisation's identity provider: a password would not let them in."""
    return member.role != Role.OWNER and connections.find_on(tenant) is not None


def _not_good(request: HttpRequest) -> HttpResponse:
    """Say that a link is not good, whatever is wrong with it; written down, with the address that it came from.

    Only the holder of an invitation whose time is over hears what is wrong, and may load the page again.
    """
    tenant, text = sessions.tenant_of(request), _text(request)
    late = links.find_expired_invitation(tenant.pk, text)
    kept = request.session.get(KEY)
    if kept and not kept.get("noted"):
        why = "invitation-expired" if late else "link-not-good"
        signing_in.note_refused(tenant_id=tenant.pk, member=late, why=why, address=signin.address_of(request))
    if late is not None:
        request.session[KEY] = {**request.session[KEY], "noted": True}
        return page(request, "welcome_expired", status=410, account=late, ended_at=late.link_expires_at)
    request.session.pop(KEY, None)
    return page(request, "welcome_not_good", status=410)


def _text(request: HttpRequest) -> str:
    """Give the text of the link that was followed within the last half hour; any page of the web can lead here, so nobody is signed out by it."""
    kept = request.session.get(KEY)
    return str(kept["text"]) if isinstance(kept, dict) and 0 <= time.time() - kept["at"] < LASTS_SECONDS else ""
