"""One's own page: the second factor, and ending one's sessions on all machines."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from controlplane.portal import members, pending, sessions, signin, signin_codes
from controlplane.portal.pages import page
from controlplane.portal.signin_forms import CodeForm
from core.errors import DomainError
from tenants.members import devices, selectors, services


def account(request: HttpRequest, slug: str) -> HttpResponse:
    """Who one is here."""
    me = sessions.portal_of(request)
    context: dict[str, Any] = {"has_device": selectors.has_device(me.member), "is_required": devices.is_required(me.tenant.pk)}
    return page(request, "members_account", **context)


def device(request: HttpRequest, slug: str) -> HttpResponse:
    """Set up one's own authenticator."""
    me = sessions.portal_of(request)
    if selectors.has_device(me.member):
        return signin.to(request, "account")
    form, secret = CodeForm(request.POST or None), signin_codes.enrolling_secret(request)
    if request.method == "POST" and form.is_valid() and signin_codes.add(request, form, me.member, secret):
        request.session.pop(pending.SECRET_KEY, None)
        request.session.cycle_key()
        messages.success(request, "From now on signing in asks for a code.")
        return signin.to(request, "account")
    context = signin_codes.shown(me.member, secret)
    return page(request, "members_device", status=signin_codes.status_of(form), form=form, **context)


def remove_device(request: HttpRequest, slug: str) -> HttpResponse:
    """Take one's own authenticator away, which ends every session, this one too."""
    me = sessions.portal_of(request)
    try:
        devices.take_away(actor=me.actor, tenant_id=me.tenant.pk, member_id=me.member.pk)
    except DomainError as error:
        return members.conflict(request, error, "account")
    sessions.end(request)
    messages.info(request, "Your authenticator is taken away. Please sign in again.")
    return signin.to(request, "sign-in")


def sign_out_everywhere(request: HttpRequest, slug: str) -> HttpResponse:
    """End all one's sessions, this one too."""
    me = sessions.portal_of(request)
    services.sign_out_everywhere(actor=me.actor, tenant_id=me.tenant.pk, member_id=me.member.pk)
    sessions.end(request)
    messages.info(request, "You are signed out on every machine.")
    return signin.to(request, "sign-in")
