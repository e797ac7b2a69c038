"""The proof that a tenant's log is whole: its own chain, walked from the first entry to the last, and the whole of it as a file.

Each entry carries a keyed code over what was recorded and over the entry before it. We can check the codes, because we hold the key; the tenant
cannot, and need not trust us for what matters most: a file that was kept shows, by comparing, whether the beginning of a later one is still the same.
Walking costs time in proportion to the log, so that a page shows the last walk and a new one is asked for, at most one in half a minute.
"""

from __future__ import annotations

from typing import Any, TypedDict

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone

from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from core.audit.models import AuditHead
from core.audit.proof import proof_lines
from core.audit.sealing import seal
from core.audit.verify import verify

KEPT_SECONDS = 24 * 3_600
PAUSE_SECONDS = 30


class ProofState(TypedDict):
    """Where a tenant's chain stands, and what its last walk found; ``checked`` is None when it was not walked for a day."""

    entries: int
    head: str
    checked: dict[str, Any] | None


def state_of(tenant_id: str) -> ProofState:
    """Give the end of the chain and the last verdict, in one query."""
    head = AuditHead.objects.filter(chain=tenant_id).first()
    return {"entries": head.sequence if head else 0, "head": head.hash if head else "", "checked": cache.get(_name(tenant_id))}


def proof(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the state; a POST walks the chain anew."""
    tenant = portal_of(request).tenant
    if request.method == "POST":
        if cache.add(f"{_name(tenant.pk)}:pause", 1, PAUSE_SECONDS):
            check(tenant.pk)
        else:
            messages.info(request, "It was checked a moment ago; what was found then is below.")
        return HttpResponseRedirect(reverse("portal:activity-proof", args=[slug]))
    return page(request, "activity_proof", section="activity", state=state_of(tenant.pk), pause=PAUSE_SECONDS)


def proof_file(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Give the whole chain as a JSON file, made while it is sent: its size grows with the log, the memory for it does not."""
    tenant = portal_of(request).tenant
    seal()
    answer = StreamingHttpResponse(proof_lines(tenant.pk), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="activity-{tenant.slug}-{timezone.now():%Y%m%dT%H%M%SZ}.json"'
    answer["Cache-Control"] = "no-store"
    return answer


def check(tenant_id: str) -> None:
    """Walk the chain and keep what was found for a day."""
    seal()
    verdict = verify(tenant_id=tenant_id)
    found = {
        "ok": verdict.ok,
        "entries": verdict.checked,
        "pending": verdict.pending,
        "head": verdict.head_hash,
        "fault": f"entry {verdict.fault.sequence}: {verdict.fault.explanation}" if verdict.fault else "",
        "at": timezone.now(),
    }
    cache.set(_name(tenant_id), found, KEPT_SECONDS)


def _name(tenant_id: str) -> str:
    return f"portal:proof:{tenant_id}"
