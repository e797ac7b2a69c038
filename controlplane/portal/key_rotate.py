"""Rotating a key. The service calls AWS between its transactions, so nothing here opens one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from controlplane.portal import key_page
from controlplane.portal.key_act_forms import RotateForm
from controlplane.portal.key_reveal import reveal, sealed
from controlplane.portal.pages import page
from controlplane.portal.sessions import SignedIn, portal_of
from core.errors import DomainError
from tenants.keys import evidence, rotation, selectors
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyVersion


def rotate(request: HttpRequest, slug: str, key_id: str) -> HttpResponse:
    """Show the form, or give the key a new version and show its text, once."""
    portal = portal_of(request)
    row = key_page.find(portal, key_id)
    if request.method != "POST":
        return _form(request, row, RotateForm(key=row))
    if (known := made_before(portal, row, request.POST.get("version", ""))) is not None:
        return reveal(request, known, rotated=True)
    form = RotateForm(request.POST, key=row)
    if not form.is_valid():
        return _form(request, row, form, status=422)
    given = form.cleaned_data
    try:
        made = rotation.rotate_key(
            actor=portal.actor,
            tenant_id=portal.tenant.pk,
            key_id=row.pk,
            overlap=given["length"],
            retire_when_quiet=given["retire_when_quiet"],
            end_previous=given.get("end_previous", False),
            successor_of=given["version"],
            reason=given["reason"],
            within=None,
        )
    except DomainError as error:
        row = key_page.find(portal, key_id)
        if error.code == "already-rotated" and (known := made_before(portal, row, given["version"])) is not None:
            return reveal(request, known, rotated=True)
        form.refuse(error)
        return _form(request, row, form, status=error.status)
    return reveal(request, made, rotated=True)


def made_before(portal: SignedIn, row: ApiKey, version_id: str) -> IssuedKey | None:
    """Give, without its text, what this member made of a form that is sent again: the successor of the version that the form calls current."""
    asked = KeyVersion.objects.filter(key=row, pk=version_id).exclude(promoted_at=None).first()
    if asked is None:
        return None
    successor = KeyVersion.objects.filter(key=row, number__gt=asked.number).exclude(promoted_at=None).order_by("number").first()
    if successor is None or successor.created_by != str(portal.actor):
        return None
    return IssuedKey(row, successor, "")


def _form(request: HttpRequest, row: ApiKey, form: RotateForm, *, status: int = 200) -> HttpResponse:
    portal, now = portal_of(request), timezone.now()
    current = selectors.current_of(row)
    used = evidence.uses_of([current.pk], now=now) if current else {}
    context = {
        "key": row,
        "form": form,
        "current": current,
        "previous": selectors.previous_of(row),
        "use": used.get(current.pk) if current else None,
        "is_lawful": key_page.acts_of(portal, row, now)["rotate"],
        "state": selectors.state_of(row, now),
    }
    return sealed(page(request, "key_rotate", section="keys", status=status, **context))
