"""Signing in: the password, then a TOTP code, or the enrolment of an authenticator where the operator has none. Nothing works between.

Every outcome is audited with the account it concerns; a name that belongs to nobody is never written down, as it may be a password. An
attempt that is turned away because of earlier ones is not: those are in the log, and nobody can fill it with waiting.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate, login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from controlplane.console import devices, pending, throttle, trail
from controlplane.console.access import may_enter, role_of
from controlplane.console.devices import Verdict
from controlplane.console.forms import CodeForm, PasswordForm
from controlplane.console.session import address_of, enter

WRONG_PASSWORD = "The user name or the password is not right."  # noqa: S105
WRONG_CODE = "That code is not right. Each code works once and for about a minute: wait for the next one."
THROTTLED_CODE = "Too many wrong codes. Wait a moment, then try the code that your authenticator shows then."
NO_ROLE = "This account has no role in the console. An operator can give it one: manage.py operators."


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
    from django.contrib.admin import site  # noqa: PLC0415  # the site imports this module

    return TemplateResponse(request, f"console/{template}.html", {**site.each_context(request), "title": title, **context})


def _next_url(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and wanted.startswith(reverse("admin:index")) else reverse("admin:index")


@sensitive_post_parameters("password")
@never_cache
@csrf_protect
def password_step(request: HttpRequest) -> HttpResponse:
    """The first factor. A right password signs nobody in; it opens the second step."""
    if may_enter(request):
        return HttpResponseRedirect(_next_url(request))
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        username, address = form.cleaned_data["username"], address_of(request)
        if wait := throttle.wait_seconds(username, address):
            form.add_error(None, f"Too many failed attempts. Try again in {wait} second{'s' if wait > 1 else ''}.")
        elif (problem := _check_password(request, form)) is not None:
            form.add_error(None, problem)
        else:
            return HttpResponseRedirect(reverse("admin:login_code"))
    status = 200 if form.is_valid() or not form.is_bound else 422
    page = _page(request, "login", "Sign in", form=form, next=_next_url(request))
    page.status_code = status
    return page


def _check_password(request: HttpRequest, form: PasswordForm) -> str | None:
    """Check it, count and audit a failure; gives what to tell the person, or None when the first factor is passed."""
    username, address = form.cleaned_data["username"], address_of(request)
    user = authenticate(request, username=username, password=form.cleaned_data["password"])
    if not isinstance(user, User):
        is_held_up = throttle.note_failure(username, address)
        trail.refused(username, "wrong password, and held up" if is_held_up else "wrong password", address)
        return WRONG_PASSWORD
    if role_of(user) is None:
        trail.refused(username, "no role", address)
        return NO_ROLE
    pending.begin(request, user, _next_url(request))
    return None


@never_cache
@csrf_protect
def code_step(request: HttpRequest) -> HttpResponse:
    """The second factor, for whoever has an authenticator."""
    who = pending.current(request)
    if who is None:
        return _start_over(request)
    device = devices.confirmed_device(who.user)
    if device is None:
        return HttpResponseRedirect(reverse("admin:login_enrol"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        verdict, passed = devices.check_code(device.pk, form.cleaned_data["code"])
        if verdict is Verdict.RIGHT and passed is not None:
            return _welcome(request, who, passed, enrolled=False)
        _refuse_code(request, form, who, verdict)
    return _code_page(request, "login_code", "Second factor", form, who)


@never_cache
@csrf_protect
def enrol_step(request: HttpRequest) -> HttpResponse:
    """The enrolment of an authenticator: shows the secret as a QR code and in letters, and takes the first code as proof."""
    who = pending.current(request)
    if who is None:
        return _start_over(request)
    if devices.confirmed_device(who.user) is not None:
        return HttpResponseRedirect(reverse("admin:login_code"))
    device = devices.enrolling_device(who.user, request.session.get(pending.DEVICE_KEY))
    request.session[pending.DEVICE_KEY] = device.pk
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        verdict, passed = devices.check_code(device.pk, form.cleaned_data["code"], confirm=True)
        if verdict is Verdict.RIGHT and passed is not None:
            return _welcome(request, who, passed, enrolled=True)
        _refuse_code(request, form, who, verdict)
    extra = {"qr_code": devices.qr_code(device), "typed_secret": devices.typed_secret(device)}
    return _code_page(request, "login_enrol", "Set up your authenticator", form, who, **extra)


def _code_page(request: HttpRequest, template: str, title: str, form: CodeForm, who: pending.Pending, **extra: Any) -> HttpResponse:
    page = _page(request, template, title, form=form, account=who.user, **extra)
    page.status_code = 200 if form.is_valid() or not form.is_bound else 422
    return page


def _refuse_code(request: HttpRequest, form: CodeForm, who: pending.Pending, verdict: Verdict) -> None:
    if verdict is not Verdict.THROTTLED:
        trail.refused(who.user.get_username(), "wrong code", address_of(request))
    form.add_error("code", THROTTLED_CODE if verdict is Verdict.THROTTLED else WRONG_CODE)


def _welcome(request: HttpRequest, who: pending.Pending, device: Any, *, enrolled: bool) -> HttpResponse:
    address = address_of(request)
    login(request, who.user, backend="django.contrib.auth.backends.ModelBackend")
    pending.end(request)
    enter(request, device)
    throttle.forget(who.user.get_username(), address)
    trail.signed_in(who.user, address, enrolled=enrolled)
    return HttpResponseRedirect(who.next_url or reverse("admin:index"))


def _start_over(request: HttpRequest) -> HttpResponse:
    if may_enter(request):
        return HttpResponseRedirect(reverse("admin:index"))
    messages.info(request, "Please begin again: signing in was not finished in time.")
    return HttpResponseRedirect(reverse("admin:login"))
