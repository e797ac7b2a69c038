"""The confirmation of each act on a tenant: which plan it shows, which form it asks with, which service it calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format

from controlplane.console import acts, preview
from controlplane.console.access import actor_of
from controlplane.console.act_forms import MAX_GRACE_DAYS, ChangeTierForm, ConfirmForm, OffboardForm
from controlplane.console.acts import Act
from controlplane.console.confirm import Question, confirm
from controlplane.console.preview import Preview
from provisioning.identity import set_first_password
from provisioning.models import OperationKind
from tenants.lifecycle import TenantState
from tenants.members.invitations import send_first_again
from tenants.models import Tenant, Tier

DAY = 86_400


def act_on(request: HttpRequest, tenant: Tenant, name: str, context: Mapping[str, Any]) -> HttpResponse:
    """Confirm and carry out the act of that name; what is not lawful now is answered with the tenant's page and the reason."""
    act = acts.TENANT_ACTS.get(name)
    if act is None:
        raise Http404(f"There is no act {name!r}.")
    back = reverse("admin:tenants_tenant_change", args=[tenant.pk])
    if act not in acts.of_tenant(tenant):
        messages.warning(request, f"“{act.title}” is not possible: {acts.why_not(act, tenant)}.")
        return HttpResponseRedirect(back)
    question = Question(
        act=act,
        title=f"{act.title}: {tenant.name}",
        button=f"{act.title}",
        back_url=back,
        sentences=acts.sentences_for_tenant(act, tenant),
        make_form=_form_of(act, tenant),
        previews=partial(_previews, act, tenant),
        perform=partial(_perform, request, act, tenant, back, context),
        done=_done(act, tenant),
        extra={"tenant": tenant, "tier": tenant.tier},
    )
    return confirm(request, question, context)


def _done(act: Act, tenant: Tenant) -> str:
    if act is acts.INVITE_AGAIN:
        return f"A fresh invitation to {tenant.admin_email} is on its way."
    return f"“{act.title}” has begun for {tenant.name}. The steps are below."


def _form_of(act: Act, tenant: Tenant) -> Callable[..., ConfirmForm]:
    if act is acts.CHANGE_TIER:
        return partial(ChangeTierForm, tenant=tenant)
    if act is acts.OFFBOARD:
        return partial(_offboard_form, tenant)
    return ConfirmForm


def _offboard_form(tenant: Tenant, *args: Any, initial: dict[str, Any], **kwargs: Any) -> OffboardForm:
    return OffboardForm(*args, initial={"grace_days": _default_days(tenant), **initial}, **kwargs)


def _default_days(tenant: Tenant) -> int:
    return max(1, min(MAX_GRACE_DAYS, -(-tenant.tier.offboarding_grace_seconds // DAY)))


def _previews(act: Act, tenant: Tenant, chosen: Mapping[str, Any]) -> tuple[Preview, ...]:
    if act is acts.CHANGE_TIER:
        tier = Tier.objects.filter(pk=str(chosen.get("tier", "")), retired_at=None).exclude(pk=tenant.tier_id).first()
        return () if tier is None else (preview.of_tier_change(tenant, tier),)
    if act is acts.OFFBOARD:
        days = _days(chosen, tenant)
        due = date_format(acts.removal_due(tenant, timedelta(days=days)), "j F Y")
        now = preview.of_tenant(OperationKind.OFFBOARD, tenant, goal=TenantState.OFFBOARDING, heading="Now")
        return now, preview.of_tenant(OperationKind.DEPROVISION, tenant, heading=f"On {due}, when the grace of {days} days is over")
    goals = {
        acts.SUSPEND: (OperationKind.SUSPEND, TenantState.SUSPENDED),
        acts.RESUME: (OperationKind.RESUME, TenantState.ACTIVE),
        acts.UNDO_OFFBOARD: (OperationKind.UNDO_OFFBOARD, tenant.resume_state or TenantState.ACTIVE),
        acts.REPAIR: (OperationKind.REPAIR, tenant.state),
    }
    if act not in goals:
        return ()
    kind, goal = goals[act]
    return (preview.of_tenant(kind, tenant, goal=goal),)


def _days(chosen: Mapping[str, Any], tenant: Tenant) -> int:
    text = str(chosen.get("grace_days", ""))
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else _default_days(tenant)
    return max(1, min(MAX_GRACE_DAYS, days))


def _perform(
    request: HttpRequest, act: Act, tenant: Tenant, back: str, context: Mapping[str, Any], clean: dict[str, Any]
) -> str | HttpResponse:
    actor, reason = actor_of(request), clean["reason"]
    if act is acts.FIRST_PASSWORD:
        password = set_first_password(actor=actor, tenant_id=tenant.pk, reason=reason)
        shown = {**context, "title": f"First password: {tenant.name}", "tenant": tenant, "password": password, "back_url": back}
        return TemplateResponse(request, "console/first_password.html", shown, headers={"Cache-Control": "no-store, private"})
    if act is acts.INVITE_AGAIN:
        send_first_again(actor=actor, tenant_id=tenant.pk, reason=reason)
        return back
    extra: dict[str, Any] = {}
    if act is acts.CHANGE_TIER:
        extra["tier_code"] = clean["tier"].pk
    if act is acts.OFFBOARD:
        extra["grace"] = timedelta(days=clean["grace_days"])
    acts.on_tenant(act.name)(actor=actor, tenant_id=tenant.pk, reason=reason, **extra)
    return back
