"""The confirmation of each act on a key: which form it asks with, which service it calls, and what is said afterwards.

The services call AWS between their transactions, so nothing here may run inside one. A store that does not answer is a message on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from controlplane.console import key_acts, key_page, key_preview, limit_confirm
from controlplane.console.access import actor_of
from controlplane.console.act_forms import ConfirmForm
from controlplane.console.acts import Act
from controlplane.console.confirm import Question, confirm
from controlplane.console.key_forms import RevokeForm, RotateForm
from tenants.keys import rotation, selectors, services
from tenants.keys.models import ApiKey, StoreState


def act_on(request: HttpRequest, key: ApiKey, name: str, context: Mapping[str, Any]) -> HttpResponse:
    """Confirm and carry out the act of that name; what is not lawful now is answered with the key's page and the reason."""
    act = key_acts.KEY_ACTS.get(name)
    if act is None:
        raise Http404(f"There is no act {name!r}.")
    back = reverse("admin:keys_apikey_change", args=[key.pk])
    now = timezone.now()
    if act not in key_acts.of_key(key, now):
        messages.warning(request, f"“{act.title}” is not possible: {_why_not(act, key)}.")
        return HttpResponseRedirect(back)
    if act is key_acts.LIMIT:
        return limit_confirm.limit_key(request, key, act, context)
    question = Question(
        act=act,
        title=f"{act.title}: {key.name}",
        button=act.title if act is not key_acts.REVOKE else "Revoke for good",
        back_url=back,
        sentences=key_acts.sentences(act, key),
        make_form=_form_of(act, key),
        previews=lambda chosen: (key_preview.of_act(act, key, chosen),),
        perform=partial(_perform, request, act, key, back),
        template="console/key_act.html",
        extra={"key": key, "tenant": key.tenant},
    )
    return confirm(request, question, context)


def _why_not(act: Act, key: ApiKey) -> str:
    state = selectors.state_of(key)
    if act is key_acts.RETIRE_PREVIOUS and state in ("active", "disabled"):
        return "there is no previous version"
    if act is key_acts.ROTATE and state == "active":
        return "a rotation is under way" if key.tenant.state == "active" else f"its tenant is {key.tenant.state}"
    return f"the key is {state}"


def _form_of(act: Act, key: ApiKey) -> Callable[..., ConfirmForm]:
    if act is key_acts.ROTATE:
        return partial(RotateForm, key=key)
    if act is key_acts.REVOKE:
        return partial(RevokeForm, key=key)
    return ConfirmForm


def _perform(request: HttpRequest, act: Act, key: ApiKey, back: str, clean: dict[str, Any]) -> str:
    about: dict[str, Any] = {"actor": actor_of(request), "tenant_id": key.tenant_id, "key_id": key.pk, "reason": clean["reason"]}
    if act is key_acts.ROTATE:
        changed = rotation.rotate_key(
            **about,
            overlap=clean["overlap"],
            retire_when_quiet=clean["retire_when_quiet"],
            end_previous=clean.get("end_previous", False),
        )
        # The answer holds the text. It goes nowhere: not to the page, not to the session, not to a log.
        messages.success(request, _rotated(changed.key, changed.version.number))
        return back
    service = {
        key_acts.RETIRE_PREVIOUS: rotation.retire_previous,
        key_acts.DISABLE: services.disable_key,
        key_acts.ENABLE: services.enable_key,
        key_acts.REVOKE: services.revoke_key,
    }[act]
    after = service(**about)
    messages.success(request, _said(act, after))
    return back


def _rotated(key: ApiKey, number: int) -> str:
    where = key_page.secret_of(key)
    behind = "" if key.store_state == StoreState.SETTLED else " The store is still being brought up to date."
    return (
        f"{key.name} has version {number} now. Its text is in the tenant's Secrets Manager under {where}, "
        f"where the tenant's own workload reads it.{behind}"
    )


def _said(act: Act, key: ApiKey) -> str:
    texts = {
        key_acts.RETIRE_PREVIOUS: f"The previous version of {key.name} is refused from now on.",
        key_acts.DISABLE: f"{key.name} is refused until it is enabled.",
        key_acts.ENABLE: f"{key.name} is accepted again.",
        key_acts.REVOKE: f"{key.name} is revoked, with all its versions.",
    }
    behind = act in (key_acts.RETIRE_PREVIOUS, key_acts.REVOKE) and key.store_state == StoreState.UNSETTLED
    return texts[act] + (" The store is still being brought up to date." if behind else "")
