"""Issuing a key. The service calls AWS between its transactions, so nothing here opens one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from controlplane.portal.key_form_fields import new_nonce
from controlplane.portal.key_forms import IssueForm
from controlplane.portal.key_reveal import reveal, sealed
from controlplane.portal.pages import page
from controlplane.portal.sessions import SignedIn, portal_of
from core.errors import DomainError
from tenants.keys import services


def issue(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the form, or issue what it asks for and show the key's text, once."""
    portal = portal_of(request)
    if request.method != "POST":
        return _form(request, IssueForm(tier=portal.tenant.tier))
    form = IssueForm(request.POST, tier=portal.tenant.tier)
    if not form.is_valid():
        return _form(request, _with_number(form), status=422)
    try:
        made = services.issue_key(
            actor=portal.actor, tenant_id=portal.tenant.pk, reference=reference_of(portal, form), within=None, **form.wish()
        )
    except DomainError as error:
        form.refuse(error)
        return _form(request, form, status=error.status)
    return reveal(request, made)


def reference_of(portal: SignedIn, form: IssueForm) -> str:
    """Give what makes a form's key found again. The tenant is part of it: nobody can take another tenant's number away."""
    return f"portal:{portal.tenant.pk}:{form.cleaned_data['reference']}"


def _with_number(form: IssueForm) -> IssueForm:
    """Give a form whose number was spoilt a fresh one, with all that was typed."""
    if "reference" in form.errors:
        form.retype("reference", new_nonce())
        form.add_error(None, "This form was out of date and has been renewed. Look it through and send it again.")
        del form.errors["reference"]
    return form


def _form(request: HttpRequest, form: IssueForm, *, status: int = 200) -> HttpResponse:
    # Kept from every cache too: going back to a form of which a key was made must give a fresh one.
    return sealed(page(request, "key_issue", section="keys", status=status, form=form))
