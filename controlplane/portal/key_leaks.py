"""What a tenant wants done with a key of its own that is found in public."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from controlplane.portal.key_act_forms import LeakForm
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from core.errors import DomainError
from tenants.keys import leak_policy, selectors
from tenants.keys.tokens import PATTERN


def leaks(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the policy, or change it."""
    portal = portal_of(request)
    policy = selectors.get_policy(portal.tenant.pk)
    if request.method != "POST":
        return _form(request, LeakForm(initial={"leak_action": policy.leak_action, "revision": policy.revision}))
    form = LeakForm(request.POST)
    if not form.is_valid():
        return _form(request, form, status=422)
    given = form.cleaned_data
    try:
        leak_policy.set_leak_action(
            actor=portal.actor,
            tenant_id=portal.tenant.pk,
            action=given["leak_action"],
            revision=given["revision"],
            reason=given["reason"],
        )
    except DomainError as error:
        form.refuse(error)
        if error.code == "stale-revision":
            form.retype("revision", selectors.get_policy(portal.tenant.pk).revision)
        return _form(request, form, status=error.status)
    messages.success(request, "From now on this is done with keys that are found in public.")
    return redirect("portal:keys", portal.tenant.slug)


def _form(request: HttpRequest, form: LeakForm, *, status: int = 200) -> HttpResponse:
    policy = selectors.get_policy(portal_of(request).tenant.pk)
    context = {"form": form, "policy": policy, "overlap_seconds": settings.LEAK_OVERLAP_SECONDS, "pattern": PATTERN}
    return page(request, "key_leaks", section="keys", status=status, **context)
