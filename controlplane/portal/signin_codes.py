"""The second factor at sign-in: a code, or the enrolment of an authenticator where one is required and there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString, mark_safe

from controlplane.portal import pending, sessions, signin, throttle
from controlplane.portal.pages import page
from controlplane.portal.pending import Pending
from controlplane.portal.signin_forms import CodeForm
from core.errors import ConflictError, DomainError
from tenants.members import devices, selectors, signing_in
from tenants.members.models import Member
from tenants.members.signing_in import NotAdmittedError


def code(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the code of somebody who has an authenticator."""
    who = _who(request)
    if who is None:
        return signin.start_over(request)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if take(request, form, who.member):
                return signin.enter(request, who.member, who.next_url, way=who.way, by=who.by, and_then="code")
        except NotAdmittedError as error:
            return _turn_away(request, who, error)
    return page(request, "signin_code", status=status_of(form), form=form, account=who.member)


def enrol(request: HttpRequest, slug: str) -> HttpResponse:
    """Enrol the authenticator that the tenant requires, and let in with its first code."""
    who = _who(request)
    if who is None:
        return signin.start_over(request)
    if selectors.has_device(who.member):
        return signin.to(request, "sign-in-code")
    form = CodeForm(request.POST or None)
    secret = enrolling_secret(request)
    if request.method == "POST" and form.is_valid():
        try:
            if add(request, form, who.member, secret):
                return signin.enter(request, who.member, who.next_url, way=who.way, by=who.by, and_then="new authenticator")
        except NotAdmittedError as error:
            return _turn_away(request, who, error)
    context = shown(who.member, secret)
    return page(request, "signin_enrol", status=status_of(form), form=form, account=who.member, **context)


def take(request: HttpRequest, form: CodeForm, member: Member) -> bool:
    """Check a code, slowed down; puts what is wrong at the form."""
    return _slowly(request, form, member, lambda text: devices.check(member=member, code=text))


def add(request: HttpRequest, form: CodeForm, member: Member, secret: str) -> bool:
    """Make the authenticator of this secret the member's, if the code is right; puts what is wrong at the form."""
    actor = signing_in.member_actor(member)

    def enrolled(text: str) -> None:
        devices.enrol(actor=actor, member=member, secret=secret, code=text)

    return _slowly(request, form, member, enrolled)


def enrolling_secret(request: HttpRequest) -> str:
    """Give the secret of this session's enrolment, made at its first look: nobody else's later confirmation can be about it."""
    kept = request.session.get(pending.SECRET_KEY)
    if not isinstance(kept, str):
        kept = request.session[pending.SECRET_KEY] = devices.new_secret()
    return kept


def shown(member: Member, secret: str) -> dict[str, Any]:
    """What an enrolment page shows: a QR code, and the secret in letters."""
    address = devices.address_of(secret, tenant_name=member.tenant.name, email=member.email)
    return {"qr_code": qr_code(address), "typed_secret": devices.typed_secret(secret)}


def qr_code(address: str) -> SafeString:
    """Give an address as an inline SVG, black on white in both themes: cameras want that."""
    svg = segno.make(address, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308  # segno draws modules only; the address is not in the markup


def status_of(form: CodeForm) -> int:
    """422 for a form that was refused."""
    return 422 if form.is_bound and not form.is_valid() else 200


def _turn_away(request: HttpRequest, who: Pending, error: NotAdmittedError) -> HttpResponse:
    """Send somebody back who may not come in any more, and write it down."""
    why = f"{who.way}, {getattr(error, 'reason', error.code)}"
    signing_in.note_refused(tenant_id=who.member.tenant_id, member=who.member, why=why, address=signin.address_of(request))
    return signin.start_over(request)


def _who(request: HttpRequest) -> Pending | None:
    who = pending.current(request, sessions.tenant_of(request))
    if who is not None:
        who.member.tenant = sessions.tenant_of(request)
    return None if who is None or who.challenge else who


def _slowly(request: HttpRequest, form: CodeForm, member: Member, attempt: Callable[[str], None]) -> bool:
    counts = throttle.of_code(member.pk)
    try:
        turn = throttle.take_turn(counts)
    except throttle.HeldUpError as error:
        left = f"{error.seconds} second{'s' if error.seconds > 1 else ''}"
        form.add_error("code", f"Too many wrong codes. Wait {left}, then try a new one.")
        return False
    except throttle.ThrottleAwayError:
        form.add_error(None, signin.AWAY)
        return False
    try:
        attempt(form.cleaned_data["code"])
    except ConflictError as error:
        throttle.give_back(turn)
        form.add_error(None, error.detail)
        return False
    except DomainError as error:
        address = signin.address_of(request)
        signing_in.note_refused(tenant_id=member.tenant_id, member=member, why="wrong-code", address=address)
        form.refuse(error)
        return False
    throttle.forget(counts)
    return True
