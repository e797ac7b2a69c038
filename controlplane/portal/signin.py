"""Signing in: the password, a new one where the first is temporary, a code or the enrolment of an authenticator; and out again.

Nothing works between the pages. Every outcome is audited; what is typed at an address that is nobody's is not written down, as it may be a
password. All refusals of the first page have the same words.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote, urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters

from controlplane.portal import identity, pending, sessions, throttle
from controlplane.portal.identity import BeginAgainError, SignInAwayError, WrongPasswordError
from controlplane.portal.pages import page
from controlplane.portal.signin_forms import NewPasswordForm, PasswordForm
from controlplane.portal.throttle import HeldUpError, ThrottleAwayError
from core.aws.signing_in import InvalidPasswordError
from core.aws.tokens import TokenKeysError, TokenRefusedError
from core.errors import ConflictError, DomainError
from provisioning.resources.user_pool import SETTINGS
from tenants.members import connections, devices, selectors, signing_in
from tenants.members.models import Member, Role
from tenants.members.signing_in import NotAdmittedError
from tenants.members.vouched import Vouched
from tenants.models import Tenant
from tenants.naming import username as username_of

logger = logging.getLogger(__name__)

WRONG = "The address or the password is not right."
AWAY = "Signing in is not possible just now. Try again in a moment."
POLICY_REFUSED = "Your organisation's password policy refuses this one: choose another, longer or with more kinds of characters."


class UseOrganisationError(NotAdmittedError):
    """The password is right, and the person is to come in through the organisation's identity provider. Nobody is told."""

    code = "use-organisation"


def address_of(request: HttpRequest) -> str:
    """Give the address that the request came from (``controlplane.proxies`` has put the caller's there)."""
    return str(request.META.get("REMOTE_ADDR", "")) or "unknown"


def to(request: HttpRequest, name: str) -> HttpResponseRedirect:
    """Go to another page of the same portal."""
    return HttpResponseRedirect(reverse(f"portal:{name}", args=[sessions.tenant_of(request).slug]))


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """The first page. A right password alone signs in only where no more is asked for."""
    if sessions.is_signed_in(request):
        return HttpResponseRedirect(next_url_of(request))
    form = PasswordForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            answer = _try(request, form)
            if isinstance(answer, HttpResponse):
                return answer
            status, problem = answer
            form.add_error(None, problem)
    return first_page(request, form, status=status)


def first_page(request: HttpRequest, form: PasswordForm, *, status: int = 200, refusal: str = "") -> HttpResponse:
    """Show where one begins: the organisation's identity provider where there is one, and the password."""
    by_provider = connections.find_on(sessions.tenant_of(request)) is not None
    # Said after every refusal alike: the pool answers a temporary password that has ended as it answers a wrong one.
    given_days = SETTINGS.temporary_password_days if form.is_bound and status == 422 else 0
    context: dict[str, Any] = {
        "form": form,
        "next": next_url_of(request),
        "by_provider": by_provider,
        "refusal": refusal,
        "given_days": given_days,
    }
    return page(request, "signin", status=status, **context)


def _try(request: HttpRequest, form: PasswordForm) -> HttpResponse | tuple[int, str]:
    """Take one attempt; gives the next page, or a status and what to tell the person."""
    tenant, address = sessions.tenant_of(request), address_of(request)
    email = form.cleaned_data["email"]
    try:
        turn = throttle.take_turn(throttle.of_account(tenant.pk, email, address))
    except HeldUpError as error:
        return 429, error.detail
    except ThrottleAwayError as error:
        return _nobody(tenant, error)
    try:
        answer = _prove(request, tenant, email, form.cleaned_data["password"])
    except (WrongPasswordError, TokenRefusedError, NotAdmittedError) as error:
        why = getattr(error, "reason", error.code) + (", and held up" if turn.is_held_up else "")
        member = selectors.find_by_address(tenant.pk, email)
        signing_in.note_refused(tenant_id=tenant.pk, member=member, why=why, address=address)
        return 422, WRONG
    except (SignInAwayError, TokenKeysError, ThrottleAwayError, ConflictError) as error:
        throttle.give_back(turn)
        return _nobody(tenant, error)
    throttle.give_back(turn)
    return answer


def _nobody(tenant: Tenant, error: DomainError) -> tuple[int, str]:
    logger.warning("nobody can sign in", extra={"tenant": tenant.pk, "error": error.code})
    return 503, AWAY


def _prove(request: HttpRequest, tenant: Tenant, email: str, password: str) -> HttpResponse:
    member = selectors.find_by_address(tenant.pk, email)
    name = member.username if member is not None else username_of(tenant.pk, email)
    challenge = identity.prove(tenant, name, password)
    if member is None or not signing_in.may_come_in(member):
        raise NotAdmittedError
    if member.role != Role.OWNER and connections.find_on(tenant) is not None:
        raise UseOrganisationError
    if challenge:
        pending.begin(request, member, next_url_of(request), challenge=challenge)
        return to(request, "sign-in-password")
    return go_on(request, member, next_url_of(request))


def go_on(
    request: HttpRequest, member: Member, next_url: str, *, way: str = pending.PASSWORD, by: Vouched | None = None
) -> HttpResponse:
    """Do what follows the first proof: ask for a code, for an enrolment, or let in. Whoever vouched for somebody, our own factor is asked for."""
    if selectors.has_device(member):
        pending.begin(request, member, next_url, way=way, by=by)
        return to(request, "sign-in-code")
    if devices.is_required(member.tenant_id):
        pending.begin(request, member, next_url, way=way, by=by)
        return to(request, "sign-in-enrol")
    return enter(request, member, next_url, way=way, by=by)


def enter(
    request: HttpRequest, member: Member, next_url: str, *, way: str, by: Vouched | None = None, and_then: str = ""
) -> HttpResponse:
    """Let somebody in; ``by`` is the provider that vouched for them, and None after a password. Raises NotAdmittedError when that has changed."""
    address, tenant_id = address_of(request), member.tenant_id
    how = f"{way} and {and_then}" if and_then else way
    fresh = signing_in.note_signed_in(member_id=member.pk, how=how, address=address, by=by)
    throttle.forget(throttle.of_account(tenant_id, member.email, address))
    sessions.begin(request, fresh, how=how)
    return HttpResponseRedirect(next_url)


@sensitive_post_parameters("password", "again")
def new_password(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of a first sign-in: the temporary password is replaced."""
    tenant = sessions.tenant_of(request)
    who = pending.current(request, tenant)
    if who is None or not who.challenge:
        return start_over(request)
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            identity.choose(tenant, who.member.username, who.challenge, form.cleaned_data["password"])
            return go_on(request, who.member, who.next_url)
        except InvalidPasswordError:
            form.add_error("password", POLICY_REFUSED)
        except (BeginAgainError, TokenRefusedError, NotAdmittedError):
            return start_over(request)
        except DomainError:
            form.add_error(None, AWAY)
    status = 422 if form.is_bound and not form.is_valid() else 200
    return page(request, "signin_password", status=status, form=form, account=who.member)


def sign_out(request: HttpRequest, slug: str) -> HttpResponse:
    """End this session."""
    signing_in.note_signed_out(member=sessions.portal_of(request).member)
    sessions.end(request)
    messages.info(request, "You are signed out.")
    return to(request, "sign-in")


def start_over(request: HttpRequest) -> HttpResponse:
    """Send somebody back to the first page. Whoever is signed in elsewhere stays so: any page of the web can lead here."""
    pending.end(request)
    messages.info(request, "Please begin again: signing in was not finished in time.")
    return to(request, "sign-in")


def next_url_of(request: HttpRequest) -> str:
    """Give where somebody wanted to go, as long as that is a page of the same portal; its first page otherwise."""
    home = reverse("portal:home", args=[sessions.tenant_of(request).slug])
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and wanted.startswith(home) and not _climbs(wanted) else home


def _climbs(wanted: str) -> bool:
    """Say whether a browser would read an address as one further up, out of the portal."""
    return ".." in unquote(urlsplit(wanted).path).replace("\\", "/").split("/")
