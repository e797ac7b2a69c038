"""The pages about people: who is here, one person, inviting, and whether everybody needs a second factor."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from controlplane.portal import sessions, signin
from controlplane.portal.access import may
from controlplane.portal.member_forms import ActForm, InviteForm, RoleForm
from controlplane.portal.member_words import acts_on, line_of
from controlplane.portal.pages import page
from core.errors import DomainError, NotFoundError
from tenants.members import devices, selectors, services
from tenants.members.models import LIVING, Member
from tenants.members.roles import may_manage

PAGE = 20
STATES = (("invited", "Invited"), ("active", "Active"), ("disabled", "Disabled"), ("removed", "Removed"))


def members(request: HttpRequest, slug: str) -> HttpResponse:
    """Who belongs to the tenant: roles, states, when they were last here."""
    me = sessions.portal_of(request)
    search, state = request.GET.get("q", "")[:200].strip(), request.GET.get("state", "")
    state = state if state in (*LIVING, "removed") else ""
    rows = selectors.list_members(tenant_id=me.tenant.pk, state=state, search=search)
    found = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    manages = may(me.member.role, "member")
    decided = selectors.get_policy(me.tenant.pk)
    context: dict[str, Any] = {
        "lines": [line_of(row, me=me.member) for row in found],
        "found": found,
        "search": search,
        "state": state,
        "manages": manages,
        "states": STATES,
        "policy": decided,
        "policy_revision": decided.revision,
    }
    return page(request, "members", section="members", **context)


def invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Invite somebody."""
    me = sessions.portal_of(request)
    form = InviteForm(request.POST or None, acting=me.member.role)
    if request.method == "POST" and form.is_valid():
        try:
            member = services.invite(actor=me.actor, tenant_id=me.tenant.pk, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{member.email} is invited. The mail is on its way; its link is good for seven days.")
            return signin.to(request, "members")
    return page(request, "members_invite", section="members", status=422 if form.is_bound else 200, form=form)


def policy(request: HttpRequest, slug: str) -> HttpResponse:
    """Decide whether everybody needs a second factor."""
    me = sessions.portal_of(request)
    wanted = request.POST.get("totp_required", "") == "yes"
    revision = request.POST.get("revision", "")
    if not revision.isascii() or not revision.isdigit():
        raise Http404
    try:
        devices.require(actor=me.actor, tenant_id=me.tenant.pk, totp_required=wanted, revision=int(revision[:9]))
    except DomainError as error:
        return conflict(request, error, "members")
    text = "Everybody needs a second factor now." if wanted else "A second factor is everybody's own choice now."
    messages.success(request, text)
    return signin.to(request, "members")


def member(request: HttpRequest, slug: str, member_id: str) -> HttpResponse:
    """One person, and what may be done about them."""
    me = sessions.portal_of(request)
    return member_page(request, get(request, member_id), RoleForm(acting=me.member.role))


def member_page(request: HttpRequest, row: Member, form: RoleForm, *, status: int = 200) -> HttpResponse:
    """Show one person, with the form for another role as it stands."""
    me = sessions.portal_of(request)
    can_change = may_manage(me.member.role, row.role) and row.pk != me.member.pk
    if not form.is_bound:
        form.initial = {"role": row.role, "revision": row.revision}
    context: dict[str, Any] = {
        "line": line_of(row, me=me.member),
        "form": form if can_change and row.state in LIVING else None,
        "acts": acts_on(row, acting=me.member),
        "act_form": ActForm(initial={"revision": row.revision}),
    }
    return page(request, "members_one", section="members", status=status, row=row, **context)


def get(request: HttpRequest, member_id: str) -> Member:
    """Give one of the tenant's people; raises Http404, for another tenant's as well."""
    try:
        return selectors.get_member(sessions.tenant_of(request).pk, member_id)
    except NotFoundError:
        raise Http404 from None


def conflict(request: HttpRequest, error: DomainError, back: str, *args: str) -> HttpResponse:
    """Say why an act was refused: somebody was first, or it may not be. Nothing was changed."""
    back_url = reverse(f"portal:{back}", args=[sessions.tenant_of(request).slug, *args])
    return page(request, "members_refused", section="members", status=error.status, error=error, back_url=back_url)
