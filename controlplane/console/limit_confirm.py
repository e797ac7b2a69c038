"""The confirmation of each act on limits: override one for a tenant, end an override, limit a key. Each calls its service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from controlplane.console import limit_preview, limit_words
from controlplane.console.access import actor_of
from controlplane.console.act_forms import ConfirmForm
from controlplane.console.acts import Act
from controlplane.console.confirm import Question, confirm
from controlplane.console.limit_forms import KeyLimitForm, OverrideForm, end_of
from core.errors import NotFoundError
from tenants.keys.models import ApiKey
from tenants.lifecycle import TenantState
from tenants.limits import selectors, services
from tenants.limits.effective import Limited
from tenants.limits.models import LimitOverride, OverrideState
from tenants.models import Tenant

OVERRIDE = Act("override", "Override a limit", "speed", "primary", example="Launch on 1 December, agreed with sales until the 2nd")
END = Act("end_override", "End the override", "undo", example="The launch is over")
TEMPLATE = "console/limit_act.html"


def override(request: HttpRequest, tenant: Tenant, context: Mapping[str, Any]) -> HttpResponse:
    """Confirm and set an override. The address may hold what is typed already: ``limited``, ``value``, ``ends``."""
    back = back_of(request, tenant)
    if tenant.state == TenantState.CLOSED:
        messages.warning(request, f"“{OVERRIDE.title}” is not possible: {tenant.name} is closed.")
        return HttpResponseRedirect(back)
    holdings = selectors.holdings_of(tenant)
    question = Question(
        act=OVERRIDE,
        title=f"{OVERRIDE.title}: {tenant.name}",
        button="Override",
        back_url=back,
        sentences=(
            f"From the moment you confirm, the number that you type holds for {tenant.name} instead of its tier's, up or down.",
            "Edges hear of it within a second. What was used stays used: a quota that is lowered below it leaves nothing.",
            "At its end the tier's number holds again, by itself. It can be ended earlier, and replaced, but not edited.",
        ),
        make_form=OverrideForm,
        previews=lambda chosen: (limit_preview.of_override(tenant, holdings, chosen),),
        perform=partial(_override, request, tenant, {one.limited: one.override for one in holdings}, back),
        template=TEMPLATE,
        extra={"tenant": tenant},
    )
    return confirm(request, question, context)


def end(request: HttpRequest, tenant: Tenant, override_id: str, context: Mapping[str, Any]) -> HttpResponse:
    """Confirm and end an override; one that does not hold any more is answered with the page and the reason."""
    back = back_of(request, tenant)
    try:
        row = selectors.get_override(tenant.pk, override_id)
    except NotFoundError as error:
        raise Http404(error.detail) from None
    state = selectors.state_of(row)
    if state != OverrideState.OPEN:
        messages.warning(request, f"“{END.title}” is not possible: it is {state.value} already.")
        return HttpResponseRedirect(back)
    holdings = selectors.holdings_of(tenant)
    name = limit_words.NAMES[Limited(row.limited)]
    question = Question(
        act=END,
        title=f"{END.title} of “{name}”: {tenant.name}",
        button="End it",
        back_url=back,
        sentences=(
            "From the moment you confirm, the tier's number holds again. Edges hear of it within a second.",
            "What was used stays used. To have the override again, set it anew.",
        ),
        make_form=ConfirmForm,
        previews=lambda _: (limit_preview.of_end(tenant, row, holdings),),
        perform=partial(_end, request, row, back),
        template=TEMPLATE,
        extra={"tenant": tenant},
    )
    return confirm(request, question, context)


def limit_key(request: HttpRequest, key: ApiKey, act: Act, context: Mapping[str, Any]) -> HttpResponse:
    """Confirm and set a key's own limits."""
    row = selectors.find_key_limit(key.pk)
    question = Question(
        act=act,
        title=f"{act.title}: {key.name}",
        button="Set the limits",
        back_url=reverse("admin:keys_apikey_change", args=[key.pk]),
        sentences=(
            f"These limits are the key's own. What {key.tenant.name} may ask for holds besides, so the key can only be narrower.",
            "An empty field does not limit. Edges hear of it within a second.",
        ),
        make_form=partial(KeyLimitForm, row=row),
        previews=lambda chosen: (limit_preview.of_key(key.tenant, row, chosen),),
        perform=partial(_limit_key, request, key, row.revision if row is not None else 0),
        template=TEMPLATE,
        extra={"tenant": key.tenant},
    )
    return confirm(request, question, context)


def back_of(request: HttpRequest, tenant: Tenant) -> str:
    """Give where an act on a tenant's limits came from: its page, or with ``from=usage`` its usage."""
    name = "admin:tenants_tenant_usage" if request.GET.get("from") == "usage" else "admin:tenants_tenant_change"
    return reverse(name, args=[tenant.pk])


def _override(
    request: HttpRequest, tenant: Tenant, seen: Mapping[Limited, LimitOverride | None], back: str, clean: dict[str, Any]
) -> str:
    limited = Limited(clean["limited"])
    before = seen[limited]
    made = services.set_override(
        actor=actor_of(request),
        tenant_id=tenant.pk,
        limited=limited,
        value=clean["value"],
        reason=clean["reason"],
        expires_at=end_of(clean["ends"], clean["until"], timezone.now()),
        replaces=before.pk if before is not None else "",
    )
    number, until = limit_words.number_of(limited, made.value), limit_words.until(made.expires_at)
    messages.success(request, f"{limit_words.NAMES[limited]} of {tenant.name}: {number}, {until}.")
    return back


def _end(request: HttpRequest, row: LimitOverride, back: str, clean: dict[str, Any]) -> str:
    services.revoke_override(actor=actor_of(request), tenant_id=row.tenant_id, override_id=row.pk, reason=clean["reason"])
    messages.success(request, f"The override of “{limit_words.NAMES[Limited(row.limited)]}” has ended; the tier's number holds.")
    return back


def _limit_key(request: HttpRequest, key: ApiKey, revision: int, clean: dict[str, Any]) -> str:
    values = {one.value: clean[one.value] for one in Limited if one.value in clean}
    about = {"tenant_id": key.tenant_id, "key_id": key.pk, "reason": clean["reason"], "revision": revision}
    services.set_key_limit(actor=actor_of(request), **about, **values)
    messages.success(request, f"The limits of {key.name} are set.")
    return reverse("admin:keys_apikey_change", args=[key.pk])
