"""Acts on one person: a page that says what will follow, then the act. Nothing is changed by looking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse

from controlplane.portal import members, sessions, signin
from controlplane.portal.member_forms import ActForm, RoleForm
from controlplane.portal.member_words import ACTS
from controlplane.portal.pages import page
from core.errors import ConflictError, DomainError, ForbiddenError, NotFoundError
from tenants.members import devices, services, vouched
from tenants.members.models import Member

Do = Callable[..., Member]
DONE: dict[str, tuple[Do, str]] = {
    "resend": (services.invite_again, "The invitation is on its way again."),
    "cancel": (services.remove, "The invitation is cancelled."),
    "disable": (services.disable, "They are disabled."),
    "enable": (services.enable, "They can sign in again."),
    "sign-out": (services.sign_out_everywhere, "All their sessions have ended."),
    "reset-device": (devices.take_away, "Their authenticator is taken away."),
    "remove": (services.remove, "They are removed."),
    "forget-provider": (vouched.forget, "It is forgotten. Their next sign-in through the provider says anew who they are."),
}
WITH_REASON = frozenset({"cancel", "disable", "enable", "remove", "forget-provider"})


def act(request: HttpRequest, slug: str, member_id: str, act: str) -> HttpResponse:
    """Ask before an act, and do it. 404 for an act that there is not, 409 for one that came too late."""
    if act not in DONE:
        raise Http404
    row = members.get(request, member_id)
    form = ActForm(request.POST or None, initial={"revision": row.revision})
    if request.method == "POST" and form.is_valid():
        return _do(request, row, act, form)
    status = 422 if form.is_bound else 200
    return page(request, "members_act", section="members", status=status, row=row, act=ACTS[act], form=form)


def forget_provider(request: HttpRequest, slug: str, member_id: str) -> HttpResponse:
    """The act that has a line of its own in the table of routes: it is for owners alone."""
    return act(request, slug, member_id, "forget-provider")


def _do(request: HttpRequest, row: Member, act: str, form: ActForm) -> HttpResponse:
    me = sessions.portal_of(request)
    do, done = DONE[act]
    values: dict[str, Any] = {"revision": form.cleaned_data["revision"]}
    if act in WITH_REASON:
        values["reason"] = form.cleaned_data["reason"]
    try:
        do(actor=me.actor, tenant_id=me.tenant.pk, member_id=row.pk, **values)
    except NotFoundError:
        raise Http404 from None
    except DomainError as error:
        return members.conflict(request, error, "member", row.pk)
    messages.success(request, f"{row}: {done}")
    return signin.to(request, "members")


def role(request: HttpRequest, slug: str, member_id: str) -> HttpResponse:
    """Give somebody another role."""
    me, row = sessions.portal_of(request), members.get(request, member_id)
    form = RoleForm(request.POST, acting=me.member.role)
    if not form.is_valid():
        return members.member_page(request, row, form, status=422)
    wanted, revision = form.cleaned_data["role"], form.cleaned_data["revision"]
    try:
        services.change_role(actor=me.actor, tenant_id=me.tenant.pk, member_id=row.pk, role=wanted, revision=revision)
    except (ConflictError, ForbiddenError) as error:
        return members.conflict(request, error, "member", row.pk)
    messages.success(request, f"{row} has another role from now on.")
    return signin.to(request, "members")
