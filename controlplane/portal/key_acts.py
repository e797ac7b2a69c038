"""Acts on a key that want a reason, and its edit. Each is a page with a form, so that it works without a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone

from controlplane.portal import key_page
from controlplane.portal.key_act_forms import ReasonForm
from controlplane.portal.key_forms import EditForm
from controlplane.portal.pages import page
from controlplane.portal.sessions import SignedIn, portal_of
from core.errors import DomainError
from tenants.keys import evidence, rotation, selectors, services
from tenants.keys.models import ApiKey


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its name, what its page says it does, and the service that does it."""

    name: str
    verb: str
    sentences: tuple[str, ...]
    done: str
    tone: str
    carry_out: Callable[..., Any]


DISABLE = Act(
    "disable",
    "Disable",
    (
        "From the moment you confirm, every request with this key is refused, until somebody enables it again.",
        "Nothing is deleted, and its life goes on running out.",
    ),
    "{} is disabled.",
    "warn",
    services.disable_key,
)
ENABLE = Act(
    "enable",
    "Enable",
    ("The key is accepted again, for what is left of its life. No end moves.",),
    "{} is enabled again.",
    "primary",
    services.enable_key,
)
RETIRE = Act(
    "retire_previous",
    "End the previous version",
    (
        "From the moment you confirm, the previous version is refused. That cannot be undone.",
        "The current version goes on as it is.",
    ),
    "The previous version of {} has ended.",
    "danger",
    rotation.retire_previous,
)


def disable(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """Refuse a key until it is enabled again."""
    return _act(request, key_id, DISABLE)


def enable(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """Accept a disabled key again."""
    return _act(request, key_id, ENABLE)


def retire_previous(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """End the overlap now."""
    return _act(request, key_id, RETIRE)


def edit(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """Change what a key is called, may do, from where, and when it ends."""
    portal = portal_of(request)
    row = key_page.find(portal, key_id)
    if request.method != "POST":
        return _edit_form(request, row, EditForm(key=row))
    form = EditForm(request.POST, key=row)
    if not form.is_valid():
        return _edit_form(request, row, form, status=422)
    given = form.cleaned_data
    try:
        services.edit_key(
            actor=portal.actor,
            tenant_id=portal.tenant.pk,
            key_id=row.pk,
            revision=given["revision"],
            reason=given["reason"],
            within=None,
            **form.wish(),
        )
    except DomainError as error:
        form.refuse(error)
        now = key_page.find(portal, key_id)
        return _edit_form(request, now, form, status=error.status, is_stale=error.code == "stale-revision")
    messages.success(request, f"{given['name']} was changed.")
    return redirect("portal:key", portal.tenant.slug, row.pk)


def back(request: HttpRequest, portal: SignedIn, row: ApiKey, words: str) -> HttpResponseRedirect:
    """Go back to the key's page with a message."""
    messages.success(request, words)
    return redirect("portal:key", portal.tenant.slug, row.pk)


def _act(request: HttpRequest, key_id: str, act: Act) -> HttpResponse:
    portal = portal_of(request)
    row = key_page.find(portal, key_id)
    form = ReasonForm(request.POST or None)
    if request.method != "POST":
        return act_form(request, row, act, form)
    if not form.is_valid():
        return act_form(request, row, act, form, status=422)
    try:
        act.carry_out(actor=portal.actor, tenant_id=portal.tenant.pk, key_id=row.pk, within=None, **form.cleaned_data)
    except DomainError as error:
        form.refuse(error)
        return act_form(request, key_page.find(portal, key_id), act, form, status=error.status)
    return back(request, portal, row, act.done.format(row.name))


def act_form(request: HttpRequest, row: ApiKey, act: Act, form: ReasonForm, *, status: int = 200) -> HttpResponse:
    """Show what an act does, whom it would hit, and its form."""
    portal, now = portal_of(request), timezone.now()
    versions = [version for version in (selectors.current_of(row), selectors.previous_of(row)) if version]
    used = evidence.uses_of([version.pk for version in versions], now=now)
    context = {
        "key": row,
        "act": act,
        "form": form,
        "state": selectors.state_of(row, now),
        "is_lawful": key_page.acts_of(portal, row, now)[act.name],
        "doing": [(version, used[version.pk]) for version in versions if version.pk in used],
    }
    return page(request, "key_act", section="keys", status=status, **context)


def _edit_form(request: HttpRequest, row: ApiKey, form: EditForm, *, status: int = 200, is_stale: bool = False) -> HttpResponse:
    if is_stale:
        # What was typed stays; sent again from here, it is an answer to the key as it is now, which the page shows beside it.
        form.retype("revision", row.revision)
    context = {
        "key": row,
        "form": form,
        "is_stale": is_stale,
        "is_lawful": key_page.acts_of(portal_of(request), row, timezone.now())["edit"],
        "state": selectors.state_of(row),
    }
    return page(request, "key_edit", section="keys", status=status, **context)
