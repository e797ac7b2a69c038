"""Acts on the connection: a page that says what will follow, then the act. Nothing is changed by looking."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse

from controlplane.portal import sessions, signin, sso_page
from controlplane.portal.pages import page
from controlplane.portal.sso_forms import SsoActForm
from controlplane.portal.sso_words import ACTS
from core.errors import DomainError, InvalidInputError, NotFoundError
from provisioning.connections import start_disconnect
from tenants.members import connections


def act(request: HttpRequest, slug: str, act: str) -> HttpResponse:
    """Ask before an act, and do it. 404 for an act that there is not, 409 for one that came too late."""
    row = connections.find(sessions.tenant_of(request).pk)
    if act not in ACTS or row is None:
        raise Http404
    words = ACTS[act]
    form = SsoActForm(request.POST or None, needs_reason=words.needs_reason, initial={"mark": row.mark})
    if request.method == "POST" and form.is_valid():
        return _do(request, act, form)
    status = 422 if request.method == "POST" else 200
    return page(request, "sso_act", section="sso", status=status, act=words, form=form)


def _do(request: HttpRequest, act: str, form: SsoActForm) -> HttpResponse:
    me = sessions.portal_of(request)
    values: dict[str, Any] = {"actor": me.actor, "tenant_id": me.tenant.pk, **form.cleaned_data}
    do = {"on": connections.switch_on, "off": connections.switch_off, "remove": start_disconnect}[act]
    try:
        do(**values)
    except InvalidInputError as error:
        form.refuse(error)
        return page(request, "sso_act", section="sso", status=422, act=ACTS[act], form=form)
    except NotFoundError:
        raise Http404 from None
    except DomainError as error:
        return sso_page.conflict(request, error)
    messages.success(request, ACTS[act].done)
    return signin.to(request, "sso")
